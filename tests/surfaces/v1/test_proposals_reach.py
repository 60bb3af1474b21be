"""What a narrowed key may see and do of memories by way of proposals: no more than without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway
from tests.surfaces import clients

acme, globex = clients.acme, clients.globex
OSLO = {"text": "Lives in Oslo", "slot": "home.city", "value": "Oslo", "scope": "org"}
ROME = {"text": "Lives in Rome", "slot": "home.city", "value": "Rome", "scope": "org"}


@pytest.fixture
def who() -> str:
    return f"reach-{uuid4().hex[:8]}"


@contextmanager
def key(gateway: Gateway, client: httpx.Client, **fields: Any) -> Iterator[httpx.Client]:
    made = client.post("/v1/keys", json={"name": "narrow", **fields}).raise_for_status().json()
    with gateway.acme.client(made["secret"]) as narrow:
        yield narrow


def remember(client: httpx.Client, who: str, memory: dict[str, Any], source: str) -> str:
    given = {**memory, "subject_id": who, "provenance": {"source": source}}
    return client.post("/v1/memories", json=given).raise_for_status().json()["id"]


def propose(client: httpx.Client, who: str, kind: str, payload: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"type": kind, "payload": payload, "subject_id": who, "source": "chat", **more}
    return client.post("/v1/proposals", json=body)


def active(client: httpx.Client, who: str) -> list[str]:
    found = client.get("/v1/memories", params={"subject_id": who}).raise_for_status().json()["data"]
    return sorted(one["text"] for one in found)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


REFUSED = 403, "memory_scope_not_allowed"


def test_narrowed_key__slot_filled_from_beyond__shows_no_text_and_may_not_replace_it(gateway, acme, globex, who):
    remember(acme, who, OSLO, "gmail")
    with key(gateway, acme, subject_ids=[who], memory_scopes=["chat"]) as narrow:
        made = propose(narrow, who, "memory.upsert", ROME)
        assert made.status_code == 201, made.text
        path = f"/v1/proposals/{made.json()['id']}"
        shown = [made, narrow.get(path), narrow.get("/v1/proposals", params={"subject_id": who})]
        assert [("Oslo" in one.text, "memory_scope_not_allowed" in one.text) for one in shown] == [(False, True)] * 3
        assert acme.get(path).json()["diff"]["before"] == "Lives in Oslo"
        assert code(narrow.post(f"{path}/approve")) == REFUSED
        bulk = narrow.post("/v1/proposals/decide", json={"ids": [made.json()["id"]], "decision": "approve"}).json()
        assert bulk["data"][0]["error"]["code"] == "memory_scope_not_allowed"
        assert acme.get(path).json()["state"] == "pending"
        assert active(acme, who) == ["Lives in Oslo"]
        assert acme.post(f"{path}/approve").json()["state"] == "executed"
        assert active(acme, who) == ["Lives in Rome"]
        kept = narrow.get(path).json()["diff"]
        assert (kept["before"], kept["after"], kept["withheld"]) == (None, "Lives in Rome", REFUSED[1])
        assert code(narrow.post(f"{path}/compensate")) == REFUSED
        assert active(acme, who) == ["Lives in Rome"]
    assert globex.get(path).status_code == 404


def test_narrowed_key__memory_or_collection_beyond__is_refused_and_nothing_is_left(gateway, acme, who):
    memory = remember(acme, who, OSLO, "gmail")
    forget = propose(acme, who, "memory.forget", {"memory_id": memory}).json()["id"]
    upsert = propose(acme, who, "memory.upsert", {"text": "Likes figs", "memory_scope": "gmail"}).json()["id"]
    event = propose(acme, who, "email.draft", {"to": ["a@b.cd"], "subject": "s", "body": "b"}, source="gmail:1")
    beyond = [forget, upsert, event.json()["id"]]
    with key(gateway, acme, subject_ids=[who], memory_scopes=["chat"]) as narrow:
        assert code(narrow.get(f"/v1/memories/{memory}")) == REFUSED
        for kind, payload, source in (
            ("memory.forget", {"memory_id": memory}, "chat"),
            ("memory.upsert", {"text": "Likes figs", "memory_scope": "gmail"}, "chat"),
            ("memory.upsert", {"text": "Likes figs"}, "gmail:7"),
            ("email.draft", {"to": ["a@b.cd"], "subject": "s", "body": "b"}, "gmail:7"),
        ):
            assert code(propose(narrow, who, kind, payload, source=source)) == REFUSED
        for one in beyond:
            assert code(narrow.get(f"/v1/proposals/{one}")) == REFUSED
            assert [code(narrow.post(f"/v1/proposals/{one}/{do}")) for do in ("approve", "reject", "retry")] == (
                [REFUSED] * 3
            )
        assert narrow.get("/v1/proposals", params={"subject_id": who}).json()["data"] == []
        swept = narrow.post("/v1/proposals/decide", json={"filter": {"subject_id": who}, "decision": "approve"})
        assert swept.json()["data"] == []
    found = acme.get("/v1/proposals", params={"subject_id": who}).json()["data"]
    assert {(one["id"], one["state"]) for one in found} == {(one, "pending") for one in beyond}
    assert active(acme, who) == ["Lives in Oslo"]


def test_narrowed_key__events__leave_out_what_was_proposed_beyond(gateway, acme, who):
    inside = propose(acme, who, "memory.upsert", {"text": "Likes figs"}).json()["id"]
    outside = propose(acme, who, "memory.upsert", {"text": "Likes dates"}, source="gmail").json()["id"]
    with key(gateway, acme, subject_ids=[who], memory_scopes=["chat"]) as narrow:
        told = narrow.get("/v1/events", params={"type": "proposal.created"}).raise_for_status().text
    assert (inside in told, outside in told, "dates" in told) == (True, False, False)


def test_key_without_reading_memories__texts_are_left_out_and_that_is_said(gateway, acme, who):
    memory = remember(acme, who, OSLO, "chat")
    with key(gateway, acme, scopes=["proposals:read", "proposals:write", "proposals:decide"]) as blind:
        upsert = propose(blind, who, "memory.upsert", ROME).json()
        forget = propose(blind, who, "memory.forget", {"memory_id": memory}).json()
        listed = blind.get("/v1/proposals", params={"subject_id": who})
        for one in (upsert, forget, *listed.json()["data"]):
            assert (one["diff"]["before"], one["diff"]["withheld"]) == (None, "scope_missing")
        approved = blind.post(f"/v1/proposals/{upsert['id']}/approve").json()
        assert (approved["state"], approved["diff"]["before"]) == ("executed", None)
    assert acme.get(f"/v1/proposals/{upsert['id']}").json()["diff"]["before"] == "Lives in Oslo"


def test_diff__behind_a_boundary_or_of_a_revoked_source__is_not_shown(acme, who):
    remember(acme, who, {**OSLO, "text": "Lives in Oslo since the divorce"}, "gmail")
    one = propose(acme, who, "memory.upsert", ROME).json()["id"]
    drawn = {"kind": "topic", "statement": "my divorce"}
    acme.post(f"/v1/subjects/{who}/boundaries", json=drawn).raise_for_status()
    assert acme.get(f"/v1/proposals/{one}").json()["diff"] == {
        "before": None, "after": "Lives in Rome", "withheld": "hidden",
    }  # fmt: skip
    acme.put(f"/v1/subjects/{who}/consents/gmail", json={"granted": False}).raise_for_status()
    assert acme.get(f"/v1/proposals/{one}").json()["diff"]["withheld"] == "source_revoked"


def test_approval__within_reach_when_given__is_refused_when_carried_out_beyond(gateway, acme, who):
    """What the slot says may change within the undo window."""
    with key(gateway, acme, subject_ids=[who], memory_scopes=["chat"]) as narrow:
        one = propose(narrow, who, "memory.upsert", ROME).json()["id"]
        assert narrow.post(f"/v1/proposals/{one}/approve", json={"undo_seconds": 3}).json()["state"] == "approved"
        remember(acme, who, OSLO, "gmail")

        def ended() -> bool:
            return acme.get(f"/v1/proposals/{one}").json()["state"] in {"failed", "executed"}

        clients.eventually(ended, within=60)
    done = acme.get(f"/v1/proposals/{one}").json()
    assert (done["state"], done["error"]["code"]) == ("failed", "memory_scope_not_allowed")
    assert active(acme, who) == ["Lives in Oslo"]
