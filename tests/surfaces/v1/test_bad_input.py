"""What is refused, how it is said, and that nothing happened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import Gateway

GOOD: dict[str, Any] = {
    "model": "ikiro/sandbox",
    "persona_id": "brand-default",
    "subject_id": "bad-input",
    "messages": [{"role": "user", "content": "hello"}],
}


def used(client: Any) -> tuple[int, int]:
    limits = client.get("/v1/limits").json()
    return limits["quotas"][0]["used"], limits["spent_micros"]


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"messages": []}, 422, "invalid_request", "#/messages"),
        ({"messages": "hello"}, 422, "invalid_request", "#/messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 422, "invalid_request", "#/messages/0/role"),
        ({"messages": [{"role": "user", "content": 7}]}, 422, "invalid_request", None),
        ({"model": None}, 422, "invalid_request", "#/model"),
        ({"model": "nobody/nothing"}, 404, "model_not_found", None),
        ({"persona_id": "no-such-persona"}, 404, "persona_not_found", None),
        ({"subject_id": "x" * 129}, 422, "invalid_request", "#/subject_id"),
        ({"subject_id": "a\u0000b"}, 422, "invalid_request", "#/subject_id"),
        ({"redact_mode": "sometimes"}, 422, "invalid_request", "#/redact_mode"),
        ({"max_tokens": 0}, 422, "invalid_request", "#/max_tokens"),
        ({"surprise": 1}, 422, "invalid_request", "#/surprise"),
        ({"conversation_id": "conv_nonsense"}, 404, "not_found", None),
        ({"persona_version": 99}, 404, "persona_version_not_found", None),
        (
            {"tools": [{"type": "function", "function": {"name": "ikiro_propose_write"}}]},
            422,
            "tool_name_reserved",
            None,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_chat__bad_field__is_a_problem_that_names_it_and_costs_nothing(
    gateway: Gateway, change: dict[str, Any], status: int, code: str, pointer: str | None, stream: bool
) -> None:
    with gateway.acme.client() as client:
        before = used(client)
        answer = client.post("/v1/chat", json={**GOOD, "stream": stream, **change})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(problem)
        assert problem["request_id"] == answer.headers["x-request-id"]
        if pointer:
            assert problem["errors"][0]["pointer"].startswith(pointer)
        assert used(client) == before


def test_chat__not_json__is_400(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        for path in ("/v1/chat", "/v1/memories", "/v1/chat/completions"):
            answer = client.post(path, content=b'{"model": ', headers={"content-type": "application/json"})
            assert answer.status_code == 400, path
            body = answer.json()
            assert (body["error"]["code"] if "error" in body else body["code"]) == "malformed_json"


def test_body__one_byte_over_its_limit__is_413_and_at_the_limit_is_not(gateway: Gateway) -> None:
    mb = 1024 * 1024
    with gateway.acme.client() as client:
        for path, limit in (("/v1/chat", 32 * mb), ("/v1/memories", 16 * mb), ("/v1/memories/recall", mb)):
            frame = json.dumps({**GOOD, "messages": [{"role": "user", "content": ""}]}).encode()
            fill = limit - len(frame)
            at_limit = frame.replace(b'"content": ""', b'"content": "' + b"a" * fill + b'"')
            assert len(at_limit) == limit
            headers = {"content-type": "application/json"}
            assert client.post(path, content=at_limit, headers=headers).status_code != 413
            over = client.post(path, content=at_limit + b" ", headers=headers)
            assert (over.status_code, over.json()["code"]) == (413, "body_too_large")
            assert over.json()["limit_bytes"] == limit


def test_scoped_key__outside_its_personas_and_subjects__is_403_and_nothing_is_charged(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        fields = {
            "name": "narrow",
            "persona_ids": ["brand-default"],
            "subject_ids": ["only-me"],
            "memory_scopes": ["chat"],
        }
        secret = client.post("/v1/keys", json=fields).json()["secret"]
        before = used(client)
        with gateway.acme.client(secret) as narrow:
            wrong_persona = narrow.post("/v1/chat", json={**GOOD, "subject_id": "only-me", "persona_id": "other"})
            wrong_subject = narrow.post("/v1/chat", json=GOOD)
            wrong_scope = narrow.post("/v1/chat", json={**GOOD, "subject_id": "only-me", "memory_scopes": ["gmail"]})
        codes = [(one.status_code, one.json()["code"]) for one in (wrong_persona, wrong_subject, wrong_scope)]
        assert codes == [(403, "persona_not_allowed"), (403, "subject_not_allowed"), (403, "memory_scope_not_allowed")]
        assert used(client) == before


def test_unknown_path__is_404_in_json(gateway: Gateway) -> None:
    with gateway.acme.client() as client:
        assert client.get("/v1/nothing-here").status_code == 404


@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("fake:status,code=401", 502, "provider_auth_failed"),
        ("fake:status,code=429,retry_after=7", 429, "upstream_rate_limited"),
        ("fake:status,code=500", 502, "upstream_error"),
        ("fake:non-json", 502, None),
        ("fake:error-first", 502, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_upstream__fails_before_its_first_word__is_an_http_error_and_charges_nothing(
    gateway: Gateway, scenario: str, status: int, code: str | None, stream: bool
) -> None:
    with gateway.acme.client() as client:
        before = used(client)
        # A model of its own each time: one that asked for a pause is given it.
        answer = client.post("/v1/chat", json={**GOOD, "model": f"openai/{scenario},stream={stream}", "stream": stream})
        assert answer.status_code == status, answer.text
        assert code in (None, answer.json()["code"])
        if status == 429:
            assert answer.headers["retry-after"] == "7"
        assert used(client) == before


@pytest.mark.parametrize("scenario", ["fake:error-mid", "fake:break", "fake:cut"])
def test_upstream__fails_in_mid_stream__ends_with_an_error_event(gateway: Gateway, scenario: str) -> None:
    with gateway.acme.client() as client:
        answer = client.post("/v1/chat", json={**GOOD, "model": f"openai/{scenario}", "stream": True})
        assert answer.status_code == 200
        last = answer.text.strip().split("\n\n")[-1]
        assert last.startswith("event: error\n")
        assert "message.done" not in answer.text
        assert json.loads(last.split("data: ")[1])["status"] in (502, 504)


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer", "message"),
    [
        ("POST", "/v1/personas", {}, "#", "give cartridge or template, one of the two"),
        ("POST", "/v1/personas", {"template": "hr", "cartridge": {}}, "#",
         "give cartridge or template, one of the two"),
        ("PUT", "/v1/personas/brand-default", {"cartridge": {}, "expected_version": "x"}, "#/expected_version",
         "must be a number"),
        ("POST", "/v1/personas/brand-default/consistency-runs", {"target": "foo"}, "#/target",
         "Input should be 'current' or 'draft', or must be a number"),
        ("POST", "/v1/memories",
         {"subject_id": "s", "text": "x", "provenance": {"source": "app"}, "confidence": "high"},
         "#/confidence", "must be a number"),
    ],
)  # fmt: skip
def test_field__that_is_wrong__is_named_without_a_word_of_the_library(
    gateway: Gateway, method: str, path: str, body: Any, pointer: str, message: str
) -> None:
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        before = acme.get("/v1/personas/brand-default").json()["version"]
        for client in (acme, globex):
            problem = client.request(method, path, json=body).json()
            assert (problem["status"], problem["code"]) == (422, "invalid_request")
            assert [(one["pointer"], one["message"]) for one in problem["errors"]] == [(pointer, message)]
            assert problem["detail"] == f"{pointer[2:] or 'body'}: {message}"
        assert acme.get("/v1/personas/brand-default").json()["version"] == before
