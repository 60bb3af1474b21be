"""The Anthropic surface without a client that would tidy up what it sees: errors, headers, and that a refusal leaves
nothing behind.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness import Gateway, eventually

PATH = "/v1/messages"
VERSION = {"anthropic-version": "2023-06-01"}


def body(model: str = "ikiro/sandbox", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], **more}


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error object, after checking that it has Anthropic's shape and the request's id."""
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert set(said) == {"type", "error", "request_id"}
    assert said["type"] == "error"
    assert said["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    return dict(said["error"])


@pytest.mark.parametrize(
    ("given", "status", "kind", "place"),
    [
        (b"{", 400, "invalid_request_error", "not valid JSON"),
        (b"[]", 400, "invalid_request_error", "object"),
        (json.dumps({"model": "m", "messages": []}).encode(), 400, "invalid_request_error", "max_tokens"),
        (json.dumps(body(messages="hello")).encode(), 400, "invalid_request_error", "messages"),
        (json.dumps(body(max_tokens="many")).encode(), 400, "invalid_request_error", "max_tokens"),
        (json.dumps(body("nobody/x")).encode(), 404, "not_found_error", "nobody/x"),
        (json.dumps(body(redact_mode="strict")).encode(), 400, "invalid_request_error", "persona"),
    ],
)
def test_refusal__is_in_anthropics_shape(gateway: Gateway, given: bytes, status: int, kind: str, place: str) -> None:
    with gateway.acme.client() as client:
        answer = client.post(PATH, content=given, headers={**VERSION, "content-type": "application/json"})
    said = error(answer)
    assert (answer.status_code, said["type"]) == (status, kind)
    assert place in said["message"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/count_tokens"])
def test_key__missing__is_401_in_anthropics_shape(gateway: Gateway, path: str) -> None:
    answer = httpx.post(gateway.base_url + path, headers=VERSION, json=body())
    assert (answer.status_code, error(answer)["type"]) == (401, "authentication_error")


def test_method__wrong__and_path__absent__are_in_anthropics_shape(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        wrong, absent = client.get(PATH), client.get(f"{PATH}/batches")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (absent.status_code, error(absent)["type"]) == (404, "not_found_error")
    error(wrong)


def test_ignored_options__are_named_in_a_header(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        translated = client.post(PATH, headers=VERSION, json=body("openai/fake:normal", top_k=3))
        native = client.post(PATH, headers=VERSION, json=body("anthropic/fake:normal", top_k=3))
    assert translated.headers["x-ikiro-ignored"] == "top_k"
    assert "x-ikiro-ignored" not in native.headers


def test_count_tokens__is_free(gateway: Gateway, upstream: Any) -> None:
    """It passes the rate limit; neither a lease nor an entry comes of it."""
    with gateway.acme.client() as client:
        counted = client.post(f"{PATH}/count_tokens", headers=VERSION, json=body("anthropic/fake:normal"))
        assert counted.json()["input_tokens"] > 0
        assert "ratelimit" in " ".join(counted.headers).lower()
        done = client.post(PATH, headers=VERSION, json=body("anthropic/fake:normal"))
        eventually(lambda: client.get(f"/v1/requests/{done.headers['request-id']}").status_code == 200, within=20)
        assert client.get(f"/v1/requests/{counted.headers['request-id']}").status_code == 404


def test_key__narrowed_to_a_person__cannot_count_or_ask_the_bare_model(gateway: Gateway, upstream: Any) -> None:
    tag = uuid4().hex
    asked = body(f"anthropic/fake:normal,tag={tag}")
    with gateway.acme.client() as client:
        made = client.post("/v1/keys", json={"name": "narrow", "subject_ids": ["only-me"]}).json()
        with gateway.acme.client(made["secret"]) as narrow:
            answers = [narrow.post(path, headers=VERSION, json=asked) for path in (PATH, f"{PATH}/count_tokens")]
        client.delete(f"/v1/keys/{made['id']}")
    assert [answer.status_code for answer in answers] == [403, 403]
    assert {error(answer)["type"] for answer in answers} == {"permission_error"}
    assert not [call for call in upstream.calls() if tag in str(call["body"].get("model"))]


def test_usage__of_a_message__is_in_the_ledger_with_what_the_cache_gave(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        for stream in (False, True):
            asked = body("anthropic/fake:normal,cached=3,cache_write=2", stream=stream)
            done = client.post(PATH, headers=VERSION, json=asked)
            found = f"/v1/requests/{done.headers['request-id']}"
            row = eventually(lambda found=found: _settled(client, found), within=20)
            assert (row["surface"], row["usage_source"]) == ("anthropic", "provider")
            assert row["usage"]["completion_tokens"] == 8
            assert row["usage"]["prompt_tokens"] > 5
        other = gateway.globex.client()
        with other:
            assert other.get(found).status_code == 404


def _settled(client: httpx.Client, path: str) -> Any:
    """The request's record once its entry is in the ledger."""
    answer = client.get(path)
    row = answer.json() if answer.status_code == 200 else {}
    return row if row.get("usage_source") else None
