"""``POST /v1/packs/precompose``: the prompt of a turn without its model, for two organizations."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.test_chat import body as turn_body
from tests.surfaces.v1.test_chat import remember

PATH = "/v1/packs/precompose"
QUESTION = "When is the piano lesson?"


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid4().hex[:12]}"


def asked(subject: str, **more: Any) -> dict[str, Any]:
    return {"persona_id": "brand-default", "subject_id": subject, "query": QUESTION, **more}


def operations(client: httpx.Client) -> int:
    """The month's memory operations, as far as they are counted."""
    return int(client.get("/v1/usage").raise_for_status().json()["totals"]["memory_operations"])


def test_pack__of_a_known_subject__is_the_prompt_that_a_turn_would_send(gateway: Gateway, subject: str, upstream: Any):
    upstream.reset()
    memory_id = remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.", ref="msg_77")
    with gateway.acme.client() as client:
        pack = client.post(PATH, json=asked(subject)).raise_for_status().json()
        client.post("/v1/chat", json=turn_body(subject, QUESTION, model="openai/gpt-4o-mini")).raise_for_status()
    sent = upstream.calls()[-1]["body"]["messages"]
    assert "piano lesson is on Tuesday" in pack["context_messages"][0]["content"]
    assert pack["context_messages"][0] == sent[1]
    # The turn offers its write tools on top; the pack, which nobody listens to, does not.
    assert sent[0]["content"].startswith(pack["system_prompt"])
    assert pack["memories"]["m1"]["factId"] == memory_id
    assert (pack["persona_version"], 0 < pack["ttl"] <= 300) == (1, True)
    assert {"approvals", "caching", "audit"} <= pack["loses"].keys()
    assert [one["stage"] for one in pack["decisions"]][-3:] == ["persona", "policy", "recall"]
    with gateway.globex.client() as client:
        other = client.post(PATH, json=asked(subject, memory_scopes=["gmail"])).raise_for_status().json()
    assert (other["memories"], "piano" in other["context_messages"][0]["content"]) == ({}, False)


def test_pack__of_an_unknown_subject__makes_nobody_and_is_metered_and_audited(gateway: Gateway, subject: str):
    with gateway.acme.client() as client:
        before = operations(client)
        answer = client.post(PATH, json=asked(subject, memory_scopes=["gmail"])).raise_for_status()
        assert client.get(f"/v1/subjects/{subject}").status_code == 404
        assert answer.json()["memories"] == {}

        def read() -> bool:
            found = client.get("/v1/audit", params={"action": "memory.recalled", "limit": 50}).json()["data"]
            return any(one["request_id"] == answer.headers["x-request-id"] for one in found)

        eventually(read)
        eventually(lambda: operations(client) > before, within=20)


@pytest.mark.parametrize(
    ("narrowed", "code"),
    [
        ({"persona_ids": ["another"]}, "persona_not_allowed"),
        ({"subject_ids": ["another"]}, "subject_not_allowed"),
        ({"memory_scopes": ["calendar"]}, "memory_scope_not_allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_pack__beyond_the_key__is_refused_and_reads_nothing(gateway: Gateway, subject: str, narrowed, code):
    remember(gateway.acme, subject, "The piano lesson is on Tuesday at five.")
    with gateway.acme.client() as client:
        made = client.post("/v1/keys", json={"name": "narrow", "mode": "test", **narrowed}).raise_for_status().json()
    with gateway.acme.client(made["secret"]) as client:
        answer = client.post(PATH, json=asked(subject, memory_scopes=["gmail"]))
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert "piano" not in answer.text
