"""What an overlay would have changed, held against what it does change: kept requests run again under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.requests.conftest import Said
from tests.surfaces.v1.requests.test_replay import storing

__all__ = ["storing"]
pytestmark = pytest.mark.usefixtures("storing")
PATH, ORG = "/v1/policies/what-if", "/v1/policies/overlays/organization"
TEXTS = (
    "Hello", "Tell me about the merger", "Mail ada@example.com", "What is due?", "The MERGER again", "Good night",
    "Where is the key?", "Merger, merger", "Call +49 30 901820", "And tomorrow?", "Who called?", "A merger?", "Bye",
)  # fmt: skip
TOOL = {"type": "function", "function": {"name": "shell_run", "parameters": {"type": "object"}}}
DRAFT = {
    "locks": {
        "redact_mode": "strict",
        "denied_tools": ["shell*"],
        "dont": ["Mention prices"],
        "max_output_tokens": 40,
        "guardrails": {"blocklist": [{"name": "secret-deal", "phrases": ["merger"], "input": "block"}]},
    },
    "defaults": {"disclaimers": ["No legal advice"]},
}


@pytest.fixture
def clean(client: httpx.Client) -> Iterator[None]:
    """The organization's overlay is empty before and after."""
    empty: dict[str, Any] = {"locks": {}, "defaults": {}}
    client.put(ORG, json=empty).raise_for_status()
    yield
    client.put(ORG, json=empty).raise_for_status()


def stored(client: httpx.Client, answer: httpx.Response) -> str:
    """The request's id, once its body is kept and its record written."""
    request_id = answer.headers["x-request-id"]
    eventually(lambda: client.get(f"/v1/requests/{request_id}/body").status_code == 200, within=30)
    eventually(lambda: client.get(f"/v1/requests/{request_id}").json().get("latency_ms") is not None, within=30)
    return request_id


def values(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """What a request was decided to be, of all that what-if speaks of."""

    def decided() -> list[dict[str, Any]] | None:
        answer = client.get(f"/v1/requests/{request_id}")
        return answer.json()["decisions"] if answer.status_code == 200 else None

    lines = {one["stage"]: one for one in eventually(decided, within=30)}
    trace = lines["policy"]["values"]
    found = {one["field"]: one["value"] for one in trace}
    return {
        "redact_mode": found["redact_mode"],
        "max_output_tokens": found.get("max_output_tokens"),
        "dont": {one["value"] for one in trace if one["field"] == "dont"},
        "disclaimers": {one["value"] for one in trace if one["field"] == "disclaimers"},
    }


@pytest.mark.usefixtures("clean")
def test_what_if__a_draft__predicts_every_decision_of_a_real_run_again(client, say: Said, gateway: Gateway):
    fields: list[dict[str, Any]] = [{}, {"max_tokens": 20}, {"redact_mode": "strict"}, {"tools": [TOOL]}]
    asked = [stored(client, say(text, **more)) for text in TEXTS for more in fields]
    found = client.post(PATH, json={**DRAFT, "days": 1, "show": 200}).raise_for_status().json()
    changed = {one["request_id"]: one for one in found["data"]}
    assert set(asked) <= set(changed)  # the disclaimer alone changes each
    assert found["evaluated"] + sum(found["unreadable"].values()) == found["requests"]
    assert found["coverage"] == round(found["evaluated"] / found["requests"], 4)
    mine = [changed[request_id] for request_id in asked]
    # Thirteen texts, four with the word, four wishes each, one of them for the tool: 16 + 9 of 52.
    assert [one["refused_after"] for one in mine].count(True) == 25
    assert not any(one["refused_before"] for one in mine)
    assert found["newly_refused"] >= 25
    client.put(ORG, json=DRAFT).raise_for_status()
    for request_id in asked:
        predicted = changed[request_id]
        again = client.post(f"/v1/requests/{request_id}/replay", json={})
        assert (again.status_code == 403) is predicted["refused_after"], (predicted, again.text)
        if again.status_code == 403:
            assert again.json()["code"] == predicted["changes"]["code"]["after"]
            continue
        real = values(client, again.headers["x-request-id"])
        before = values(client, request_id)
        for name in ("redact_mode", "max_output_tokens"):
            expected = predicted["changes"].get(name, {}).get("after", before[name])
            assert real[name] == expected, (name, predicted)
        for name in ("dont", "disclaimers"):
            assert real[name] == set(predicted["changes"][name]["after"])
    with gateway.globex.client() as other:
        theirs = other.post(PATH, json={**DRAFT, "days": 1, "show": 200}).raise_for_status().json()
    assert not {one["request_id"] for one in theirs["data"]} & set(asked)


@pytest.mark.usefixtures("clean")
def test_what_if__for_one_subject__changes_only_theirs_and_writes_nothing(client, say: Said, subject: str, gateway):
    mine, other = stored(client, say("Hi")), stored(client, say("Hi", subject_id=f"{subject}-other"))
    before = client.get(ORG).json()
    draft = {"level": "user", "target": subject, "locks": {"denied_models": ["ikiro/*"]}, "days": 1, "show": 200}
    found = client.post(PATH, json=draft).raise_for_status().json()
    changed = {one["request_id"]: one for one in found["data"]}
    assert (mine in changed, other in changed) == (True, False)
    assert changed[mine]["changes"]["code"] == {"before": None, "after": "policy_refused"}
    assert changed[mine]["changes"]["line"]["after"] == "denied_models"
    assert client.get(ORG).json() == before
    assert say("Hi").status_code == 200
    wrong = client.post(PATH, json={"level": "user", "target": ""})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_overlay")
    with gateway.globex.client() as stranger:
        assert mine not in str(stranger.post(PATH, json=draft).json())


WORD = "The zanzibar plan"
ANTHROPIC = {"anthropic-version": "2023-06-01"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": f'{{"deep": ["{WORD}"]}}'}}
LOOK = {"name": "look", "parameters": {"type": "object"}}
# What each dialect can hold the word in, beside a plain text.
SENT: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [
        {"messages": [{"role": "user", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": WORD}]}]},
        {
            "messages": [
                {"role": "user", "content": "Hello"}, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": "found"},
            ],
            "tools": [{"type": "function", "function": LOOK}],
        },
        {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20, "tools": [TOOL]},
    ],
    "/v1/messages": [
        {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20},
        {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 90, "system": WORD},
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"deep": [WORD]}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}]},
            ],
            "max_tokens": 20, "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        },
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result", "tool_use_id": "toolu_1",
                            "content": [{"type": "text", "text": f"found: {WORD}"}],
                        }
                    ],
                },
            ],
            "max_tokens": 20, "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        },
        {
            "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20,
            "tools": [{"name": "shell_run", "input_schema": {"type": "object"}}],
        },
    ],
    "/v1/responses": [
        {"input": "Hello"},
        {"input": "Hello", "instructions": WORD, "max_output_tokens": 20},
        {
            "input": [
                {"role": "user", "content": "Hello"},
                {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_1", "output": f"found: {WORD}"},
            ],
            "tools": [{"type": "function", **LOOK}],
        },
        {"input": "Hello", "max_output_tokens": 20, "tools": [{"type": "function", "name": "shell_run"}]},
    ],
    "/v1/embeddings": [{"input": WORD}],
}  # fmt: skip
DRAFTS: dict[str, dict[str, Any]] = {
    "words": {"locks": {"guardrails": {"blocklist": [{"name": "deal", "phrases": ["zanzibar"], "input": "block"}]}}},
    "models": {"locks": {"denied_models": ["ikiro/*"]}},
    "tools": {"locks": {"denied_tools": ["shell*"], "max_output_tokens": 30}},
    "defaults": {"locks": {}, "defaults": {"redact_mode": "strict", "max_output_tokens": 9}},
}


@pytest.fixture
def sent(client: httpx.Client, subject: str) -> Iterator[list[str]]:
    """Calls of all dialects, by a persona and to a bare model, to a model and to two of which one is the sandbox."""
    alias = f"either-{subject}"
    targets = [{"model": "ikiro/sandbox"}, {"model": "openai/fake:normal"}]
    client.put(f"/v1/models/aliases/{alias}", json={"targets": targets}).raise_for_status()
    persona = {"x-persona-id": "brand-default", "x-subject-id": subject}
    made = []
    for path, bodies in SENT.items():
        for body in bodies:
            for model in (alias, "ikiro/sandbox"):
                for whom in ({}, persona) if path != "/v1/embeddings" else ({},):
                    answer = client.post(path, json={"model": model, **body}, headers={**ANTHROPIC, **whom})
                    assert answer.status_code == 200, (path, body, whom, answer.text)
                    made.append(stored(client, answer))
    yield made
    client.delete(f"/v1/models/aliases/{alias}").raise_for_status()


@pytest.mark.usefixtures("clean")
def test_what_if__of_every_dialect_with_and_without_a_persona__is_what_a_real_run_comes_to(client, sent: list[str]):
    for name, draft in DRAFTS.items():
        found = client.post(PATH, json={**draft, "days": 1, "show": 200}).raise_for_status().json()
        assert found["unreadable"].get("unreadable", 0) == 0
        changed = {one["request_id"]: one for one in found["data"]}
        client.put(ORG, json=draft).raise_for_status()
        refused = 0
        for request_id in sent:
            told = changed.get(request_id, {"refused_after": False, "changes": {}})
            refused += told["refused_after"]
            eventually(lambda i=request_id, t=told: same(client, i, t), within=5)
        assert 0 < refused < len(sent) or name == "defaults", (name, refused)
        client.put(ORG, json={"locks": {}, "defaults": {}}).raise_for_status()


def same(client: httpx.Client, request_id: str, told: dict[str, Any]) -> bool:
    """Whether a real run comes to what was told of it; fails saying what differs."""
    again = client.post(f"/v1/requests/{request_id}/replay", json={})
    assert (again.status_code == 403) is told["refused_after"], (told, again.text)
    if again.status_code == 403:
        error = again.json().get("error") or {}
        assert (again.json().get("code") or error.get("code")) == told["changes"]["code"]["after"]
        return True
    was, now = (
        eventually(lambda i=one: client.get(f"/v1/requests/{i}").json().get("model"), within=30)
        for one in (request_id, again.headers["x-request-id"])
    )
    assert now == told["changes"].get("model", {}).get("after", was), told
    return True
