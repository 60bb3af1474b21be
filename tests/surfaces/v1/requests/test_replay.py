"""Bodies and replay of the vendors' dialects: messages, responses and embeddings, plain and by a persona."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, Org, eventually

SECRET = "sk-proj-" + "A1b2C3d4" * 4
MESSAGES, RESPONSES, EMBEDDINGS = "/v1/messages", "/v1/responses", "/v1/embeddings"
VERSION = {"anthropic-version": "2023-06-01"}
NATIVE = {MESSAGES: "anthropic/fake:normal", RESPONSES: "openai/fake:normal", EMBEDDINGS: "openai/fake:normal"}
pytestmark = pytest.mark.usefixtures("storing")


@pytest.fixture(autouse=True)
def quiet(upstream: Any) -> Iterator[None]:
    upstream.reset()
    yield
    upstream.reset()


@pytest.fixture
def storing(owner: httpx.Client) -> Iterator[None]:
    """Bodies are kept meanwhile, and every worker knows."""
    _keep(owner, True)
    yield
    _keep(owner, None)


def _keep(owner: httpx.Client, wanted: bool | None) -> None:
    owner.patch("/v1/organization/settings", json={"store_bodies": wanted}).raise_for_status()
    eventually(lambda: owner.get("/v1/organization/settings").json()["store_bodies"] is bool(wanted), within=15)


def body_of(path: str, text: str, **more: Any) -> dict[str, Any]:
    if path == MESSAGES:
        return {"model": NATIVE[path], "max_tokens": 60, "messages": [{"role": "user", "content": text}], **more}
    return {"model": NATIVE[path], "input": text, **more}


def post(client: httpx.Client, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    answer = client.post(path, json=body, headers={**(VERSION if path == MESSAGES else {}), **headers})
    assert answer.status_code == 200, answer.text
    return answer


def kept(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """The two kept parts, once they are written."""

    def found() -> dict[str, Any] | None:
        answer = client.get(f"/v1/requests/{request_id}/body")
        parts = {one["part"]: one for one in answer.json()["parts"]} if answer.status_code == 200 else {}
        return parts if len(parts) == 2 else None

    return dict(eventually(found, within=20))


def said(answer: httpx.Response, path: str) -> str:
    """The text of an answer, buffered or streamed, as its dialect has it."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        found = answer.json()
        if path == MESSAGES:
            return "".join(one.get("text", "") for one in found["content"])
        return "".join(part["text"] for one in found["output"] for part in one.get("content", ()))
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    if path == MESSAGES:
        assert data[-1]["type"] == "message_stop"
        return "".join(one["delta"].get("text", "") for one in data if one["type"] == "content_block_delta")
    assert data[-1]["type"] == "response.completed"
    return "".join(one["delta"] for one in data if one["type"] == "response.output_text.delta")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("persona", [False, True])
@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_replay__of_a_vendors_dialect__runs_again_in_it_with_what_was_masked(
    gateway: Gateway, client: httpx.Client, upstream: Any, subject: str, path: str, persona: bool, stream: bool
) -> None:
    address = {"x-persona-id": "brand-default", "x-subject-id": subject} if persona else {}
    first = post(client, path, body_of(path, f"Keep {SECRET}", stream=stream), **address)
    parent, words = first.headers["x-request-id"], said(first, path)
    assert words
    parts = kept(client, parent)
    assert (parts["request"]["path"], parts["request"]["truncated"]) == (path, False)
    assert "Keep [secret]" in parts["request"]["body"]
    assert SECRET not in json.dumps(parts)
    answered = json.loads(parts["response"]["body"])
    assert words in json.dumps(answered, ensure_ascii=False)
    assert answered.get("stream", False) is stream

    with gateway.globex.client() as other:
        seen = len(upstream.calls())
        assert other.post(f"/v1/requests/{parent}/replay", json={}).status_code == 404
        assert other.get(f"/v1/requests/{parent}/body").status_code == 404
        assert len(upstream.calls()) == seen
    again = client.post(f"/v1/requests/{parent}/replay", json={}, headers={"idempotency-key": f"again-{parent}"})
    assert again.status_code == 200, again.text
    assert again.headers["content-type"] == first.headers["content-type"]
    assert said(again, path) == words
    before, after = upstream.calls()[:2]
    assert SECRET in json.dumps(before["body"]) or persona
    assert "Keep [secret]" in json.dumps(after["body"])
    assert (before["path"], before["dialect"]) == (after["path"], after["dialect"])
    for name in ("anthropic-version", "anthropic-beta"):
        assert before["headers"].get(name) == after["headers"].get(name)
    child = again.headers["x-request-id"]
    assert child != parent
    shown = eventually(lambda: client.get(f"/v1/requests/{child}").raise_for_status().json(), within=20)
    wanted = subject if persona else None
    assert (shown["parent_id"], shown["status"], shown["subject_id"]) == (parent, 200, wanted)
    # Sent again with its key it is not asked a second time.
    repeated = client.post(f"/v1/requests/{parent}/replay", json={}, headers={"idempotency-key": f"again-{parent}"})
    assert (said(repeated, path), repeated.headers["idempotent-replayed"]) == (words, "true")
    assert len(upstream.calls()) == 2


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_replay__with_another_model__is_translated_to_its_provider(
    client: httpx.Client, upstream: Any, path: str
) -> None:
    other = NATIVE[RESPONSES if path == MESSAGES else MESSAGES]
    parent = post(client, path, body_of(path, "Hello")).headers["x-request-id"]
    kept(client, parent)
    again = client.post(f"/v1/requests/{parent}/replay", json={"model": other})
    assert again.status_code == 200, again.text
    assert said(again, path)
    dialects = ["anthropic", "openai"] if path == MESSAGES else ["responses", "anthropic"]
    assert [call["dialect"] for call in upstream.calls()] == dialects


def test_replay__of_a_message_with_a_beta__sends_the_beta_again(client: httpx.Client, upstream: Any) -> None:
    beta = {"anthropic-beta": "context-1m-2025-08-07"}
    parent = post(client, MESSAGES, body_of(MESSAGES, "Hello"), **beta).headers["x-request-id"]
    kept(client, parent)
    assert client.post(f"/v1/requests/{parent}/replay", json={}).status_code == 200
    first, second = upstream.calls()
    assert first["headers"]["anthropic-beta"] == second["headers"]["anthropic-beta"] == "context-1m-2025-08-07"


def test_replay__of_embeddings__gives_them_again(client: httpx.Client, upstream: Any) -> None:
    first = post(client, EMBEDDINGS, body_of(EMBEDDINGS, "Hello"))
    parent = first.headers["x-request-id"]
    assert json.loads(kept(client, parent)["request"]["body"])["input"] == "Hello"
    again = client.post(f"/v1/requests/{parent}/replay", json={})
    assert (again.status_code, again.json()["data"]) == (200, first.json()["data"])
    assert len(upstream.calls()) == 2


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_replay__by_a_key_that_may_not_chat__is_refused_in_the_dialect_and_asks_nobody(
    org: Org, owner: httpx.Client, client: httpx.Client, upstream: Any, path: str
) -> None:
    parent = post(client, path, body_of(path, "Hello")).headers["x-request-id"]
    kept(client, parent)
    made = owner.post("/v1/keys", json={"name": "reader", "scopes": ["requests:read"]}).json()
    with org.client(made["secret"]) as narrow:
        eventually(lambda: narrow.get(f"/v1/requests/{parent}").status_code == 200, within=10)
        refused = narrow.post(f"/v1/requests/{parent}/replay", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")
    assert len(upstream.calls()) == 1


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_replay__of_a_turn_with_a_persona__takes_another_version(client: httpx.Client, subject: str, path: str) -> None:
    address = {"x-persona-id": "brand-default", "x-subject-id": subject}
    turn = body_of(path, "Hello", model="ikiro/sandbox")
    parent = post(client, path, turn, **address).headers["x-request-id"]
    kept(client, parent)
    again = client.post(f"/v1/requests/{parent}/replay", json={"persona_version": 1})
    assert again.status_code == 200, again.text
    unknown = client.post(f"/v1/requests/{parent}/replay", json={"persona_version": 999})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "persona_version_not_found")
    plain = post(client, path, body_of(path, "Hello", model="ikiro/sandbox")).headers["x-request-id"]
    kept(client, plain)
    refused = client.post(f"/v1/requests/{plain}/replay", json={"persona_version": 1})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/persona_version")
