"""What a lock means for a call to a bare model: refused where its bytes cannot keep it, in every dialect and both
lanes, for the organization and for a key's team; the other organization is none the wiser."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually

OVERLAY = "/v1/policies/overlays/organization"
MODEL = "openai/fake:normal"
WITHIN_S = 3.0
SHELL = {"type": "function", "function": {"name": "shell_run", "parameters": {"type": "object"}}}
CHAT, RESPONSES, MESSAGES, EMBEDDINGS, COUNT = (
    "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/messages/count_tokens"
)  # fmt: skip
SAID = {"messages": [{"role": "user", "content": "Tell me a word"}]}
BODIES: dict[str, dict[str, Any]] = {
    CHAT: SAID,
    RESPONSES: {"input": "Tell me a word"},
    MESSAGES: {**SAID, "max_tokens": 50},
    EMBEDDINGS: {"input": "Tell me a word"},
    COUNT: SAID,
}
UNKEPT = {
    "masking": ({"redact_mode": "strict"}, "redact_mode"),
    "input": ({"guardrails": {"secrets": {"input": "block"}}}, "guardrails.secrets.input"),
    "output": ({"guardrails": {"pii": {"email": {"output": "mask"}}}}, "guardrails.pii.email.output"),
    "length": ({"guardrails": {"length": {"input": "block", "max_input_chars": 9}}}, "guardrails.length.input"),
}


@dataclass(frozen=True)
class Locked:
    """An organization of these tests' own: its full key, and what locks are put on."""

    client: httpx.Client
    org: Org

    def put(self, locks: dict[str, Any], defaults: dict[str, Any] | None = None, target: str = OVERLAY) -> None:
        self.client.put(target, json={"locks": locks, "defaults": defaults or {}}).raise_for_status()


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Org:
    return gateway.org("locked")


@pytest.fixture
def locked(org: Org) -> Iterator[Locked]:
    with org.client() as client:
        made = Locked(client, org)
        yield made
        made.put({})
        eventually(lambda: code(send(client, CHAT)) is None, within=WITHIN_S)


def send(client: httpx.Client, path: str, **more: Any) -> httpx.Response:
    return client.post(
        path, json={"model": MODEL, **BODIES[path], **more}, headers={"anthropic-version": "2023-06-01"}
    )  # fmt: skip


def code(answer: httpx.Response) -> str | None:
    return None if answer.status_code == 200 else str(answer.json()["error"]["code"])


def refused(call: Callable[[], httpx.Response], upstream: Any, *, within: float = WITHIN_S) -> httpx.Response:
    """The refusal, as soon as the lock has reached the worker; then once more, with nothing sent to the model."""

    def answer() -> httpx.Response | None:
        found = call()
        return found if found.status_code == 403 else None

    eventually(answer, within=within)
    upstream.reset()
    found = call()
    assert (found.status_code, code(found)) == (403, "policy_refused"), found.text
    assert upstream.calls() == []
    return found


def open_again(locked: Locked, path: str) -> None:
    eventually(lambda: code(send(locked.client, path)) in (None, "shape_not_served"), within=WITHIN_S)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("case", UNKEPT)
def test_pass_through__lock_that_no_bytes_can_keep__is_refused_saying_what_to_do(
    locked: Locked, gateway: Gateway, upstream: Any, case: str, path: str
) -> None:
    locks, field = UNKEPT[case]
    open_again(locked, path)  # so that what the fast lane needs for the call stands
    locked.put(locks)
    if case == "output" and path in (EMBEDDINGS, COUNT):
        for _ in range(3):
            assert code(send(locked.client, path)) in (None, "shape_not_served")
        return
    found = refused(lambda: send(locked.client, path), upstream)
    told = found.json()["error"]["message"]
    assert field in told
    assert ("x-persona-id" in told) is (path not in (EMBEDDINGS, COUNT))
    assert "have the lock changed" in told
    with gateway.globex.client() as other:
        assert code(send(other, path)) in (None, "shape_not_served")
    locked.put({})
    open_again(locked, path)


def test_pass_through__defaults_flags_and_shadows__bind_nothing(locked: Locked) -> None:
    flags = {"guardrails": {"secrets": {"input": "flag", "output": "flag"}}}
    shadow = {"guardrails": {"pii": {"email": {"input": "block", "shadow": True}}}}
    locked.put(flags, {"redact_mode": "strict", "max_output_tokens": 5, "guardrails": {"secrets": {"input": "block"}}})
    _settled(locked)
    assert code(send(locked.client, CHAT)) is None
    locked.put({**shadow, "redact_mode": "off", "dont": ["Swear"], "memory_scopes": []})
    _settled(locked)
    assert code(send(locked.client, CHAT)) is None


def _settled(locked: Locked) -> None:
    """Until a lock of a model, written after, is obeyed, what was written before is too."""
    before = locked.client.get(OVERLAY).json()
    locks, defaults = before["locks"], before["defaults"]
    locked.put({**locks, "denied_models": ["*"]}, defaults)
    eventually(lambda: code(send(locked.client, CHAT)) == "policy_refused", within=WITHIN_S)
    locked.put(locks, defaults)
    eventually(lambda: code(send(locked.client, CHAT)) is None, within=WITHIN_S)


@pytest.mark.parametrize(
    ("path", "breaking", "keeping"),
    [
        (CHAT, [{}, {"max_tokens": 6}, {"max_completion_tokens": 6}, {"max_tokens": 6, "max_completion_tokens": 5}],
         [{"max_tokens": 5}, {"max_completion_tokens": 4}]),
        (RESPONSES, [{}, {"max_output_tokens": 6}, {"max_tokens": 5}], [{"max_output_tokens": 5}]),
        (MESSAGES, [{}, {"max_tokens": 6}], [{"max_tokens": 5}]),
    ],
)  # fmt: skip
def test_pass_through__lock_of_length__lets_through_who_asks_for_no_more(
    locked: Locked, upstream: Any, path: str, breaking: list[dict[str, Any]], keeping: list[dict[str, Any]]
) -> None:
    locked.put({"max_output_tokens": 5})
    for more in breaking:
        told = refused(lambda m=more: send(locked.client, path, **m), upstream).json()["error"]["message"]
        assert "5 tokens" in told
    for more in keeping:
        assert code(send(locked.client, path, **more)) is None, more
    assert code(send(locked.client, EMBEDDINGS)) in (None, "shape_not_served")


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        (CHAT, {"tools": [SHELL]}),
        (CHAT, {"functions": [{"name": "Shell_run"}]}),
        (CHAT, {"tools": [{"type": "custom", "custom": {"name": "shell_run"}}]}),
        (RESPONSES, {"tools": [{"type": "function", "name": "shell_run", "parameters": {}}]}),
        (RESPONSES, {"tools": [{"type": "shell_tool"}]}),
        (MESSAGES, {"tools": [{"name": "shell_run", "input_schema": {"type": "object"}}]}),
        (MESSAGES, {"mcp_servers": [{"type": "url", "name": "shell_there", "url": "https://mcp.example.com"}]}),
    ],
)
@pytest.mark.parametrize("locks", [{"denied_tools": ["shell*"]}, {"allowed_tools": ["lookup"]}])
def test_pass_through__lock_of_tools__refuses_who_offers_such_a_one(
    locked: Locked, upstream: Any, path: str, tool: dict[str, Any], locks: dict[str, Any]
) -> None:
    locked.put(locks)
    refused(lambda: send(locked.client, path, **tool), upstream)
    assert code(send(locked.client, path)) is None
    if path == CHAT:
        lookup = {**SHELL, "function": {**SHELL["function"], "name": "lookup"}}
        assert code(send(locked.client, path, tools=[lookup])) is None


def test_pass_through__lock_of_the_keys_team__binds_that_key_alone(locked: Locked, upstream: Any) -> None:
    team = f"team-{secrets.token_hex(4)}"
    locked.client.post("/v1/teams", json={"id": team, "name": "T"}).raise_for_status()
    made = locked.client.post("/v1/keys", json={"name": team, "team_ids": [team]}).raise_for_status().json()
    with locked.org.client(made["secret"]) as member:
        for _ in range(2):
            assert code(send(member, CHAT)) is None
        locked.put({"redact_mode": "strict"}, target=f"/v1/policies/overlays/team/{team}")
        found = refused(lambda: send(member, CHAT), upstream)
        assert f"team:{team}" in found.json()["error"]["message"]
        assert code(send(locked.client, CHAT)) is None
        persona = {"x-persona-id": "brand-default", "x-subject-id": team}
        turn = member.post(CHAT, json={"model": MODEL, **SAID}, headers=persona)
        assert turn.status_code == 200, turn.text


def test_explain__pass_through_under_a_lock__says_what_the_call_would_meet(locked: Locked) -> None:
    locked.put({"guardrails": {"secrets": {"input": "block"}}})

    def explained() -> dict[str, Any]:
        answer = locked.client.post("/v1/explain", json={"openai": {"model": MODEL, **SAID}}).raise_for_status()
        return dict(answer.json())

    found = eventually(lambda: (shown := explained())["would"] == "refused" and shown, within=WITHIN_S)
    assert found["error"]["code"] == "policy_refused"
    assert found["error"]["policy"]["field"] == "guardrails.secrets.input"
    assert found["error"]["policy"]["locked_by"] == "org"


def test_shadow__lock_that_bytes_cannot_keep__is_told_of_and_binds_nothing(locked: Locked) -> None:
    body = {"mode": "shadow", "locks": {"redact_mode": "strict"}, "defaults": {}}
    locked.client.put(OVERLAY, json=body).raise_for_status()

    def noted() -> dict[str, Any] | None:
        answer = send(locked.client, CHAT)
        assert answer.status_code == 200, answer.text
        path = f"/v1/requests/{answer.headers['x-request-id']}"
        shown = eventually(lambda: (got := locked.client.get(path)).status_code == 200 and got.json(), within=30)
        return shown.get("shadow")

    try:
        found = eventually(noted, within=60)
    finally:
        locked.client.delete(OVERLAY, params={"mode": "shadow"}).raise_for_status()
    assert (found["refused_before"], found["refused_after"]) == (False, True)
    assert found["changes"]["code"] == {"before": None, "after": "policy_refused"}
    assert found["changes"]["line"]["after"] == "redact_mode"
