"""What no schema generates: bytes that are no text, text that no store holds, ids of nobody. Always a refusal, in the
surface's own words, and never ours to blame."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.harness import Gateway

TURN = {
    "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "hostile",
    "messages": [{"role": "user", "content": "X"}],
}  # fmt: skip
MEMORY = {"subject_id": "hostile", "text": "hello there", "provenance": {"source": "chat"}}
BODIES = {
    "/v1/chat": TURN,
    "/v1/chat/completions": {"model": "ikiro/sandbox", "messages": TURN["messages"]},
    "/v1/memories": MEMORY,
    "/v1/memories/recall": {"subject_id": "hostile", "query": "hello"},
    "/v1/keys": {"name": "k"},
    "/v1/personas": {"cartridge": {}},
}
LISTS = [
    *("/v1/memories", "/v1/subjects", "/v1/personas", "/v1/proposals", "/v1/requests", "/v1/operations"),
    *("/v1/audit", "/v1/events", "/v1/keys"),
]


@pytest.fixture
def client(gateway: Gateway):
    with gateway.acme.client() as client:
        client.headers["content-type"] = "application/json"
        yield client


def code(answer: httpx.Response) -> str:
    said = answer.json()
    assert answer.headers["x-request-id"] == said.get("error", said)["request_id"]
    return said.get("error", said)["code"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        *(b'{"a":NaN}', b"[" * 200_000, b'{"a":' * 100_000, b'{"a":"\xff"}', b'\xef\xbb\xbf{"a":1}'),
        *(b'{"model":"\\ud800"}', b"{} x"),
    ],
    ids=["nan", "deep-list", "deep-object", "no-utf8", "byte-order-mark", "lone-surrogate", "trailing"],
)  # fmt: skip
def test_body__that_is_no_json__is_400(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    # The dialect of OpenAI reads its fields as it goes, and may stop at one of them first.
    known = {"malformed_json", "invalid_request"} if path == "/v1/chat/completions" else {"malformed_json"}
    assert answer.status_code == 400
    assert code(answer) in known


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"a"', b"5"])
def test_body__that_is_no_object__is_a_client_error(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code in {400, 422}
    assert code(answer) in {"malformed_json", "invalid_request"}


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/chat/completions"])
def test_message__not_utf8_inside__is_400_before_any_model_is_asked(client: httpx.Client, path: str) -> None:
    body = json.dumps(BODIES[path]).encode().replace(b'"X"', b'"\xff"')
    answer = client.post(path, content=body)
    assert (answer.status_code, code(answer)) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("path", "change", "pointer"),
    [
        ("/v1/chat", {"messages": [{"role": "user", "content": "a\0b"}]}, "#/messages/0/content"),
        ("/v1/chat", {"metadata": {"a\0b": "x"}}, "#/metadata/a\ufffdb"),
        ("/v1/chat", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "#/messages/0/content"),
        ("/v1/chat", {"messages": [{"role": "user", "content": 7}]}, "#/messages/0/content"),
        ("/v1/chat", {"stream": 1}, "#/stream"),
        ("/v1/chat", {"max_tokens": True}, "#/max_tokens"),
        ("/v1/chat", {"max_tokens": 10**30}, "#/max_tokens"),
        ("/v1/memories", {"text": "a\0b"}, "#/text"),
        ("/v1/memories", {"value": {"a": ["\0"]}}, "#/value/a/0"),
        ("/v1/memories", {"confidence": "1"}, "#/confidence"),
        ("/v1/memories", {"occurred_at": 5}, "#/occurred_at"),
        ("/v1/memories", {"occurred_at": "0001-01-01T00:00:00+14:00"}, "#/occurred_at"),
        ("/v1/memories", {"occurred_at": "2026-01-01T00:00:00"}, "#/occurred_at"),
        ("/v1/memories/recall", {"k": True}, "#/k"),
        ("/v1/memories/recall", {"explain": 0}, "#/explain"),
        ("/v1/keys", {"expires_at": "9999-12-31T23:59:59-14:00"}, "#/expires_at"),
        ("/v1/keys", {"expires_at": 1e18}, "#/expires_at"),
        ("/v1/keys", {"name": "  "}, "#/name"),
        ("/v1/keys", {"subject_ids": ["x" * 129]}, "#/subject_ids/0"),
    ],
)  # fmt: skip
def test_field__that_no_store_holds__is_422_and_named(
    client: httpx.Client, path: str, change: dict[str, Any], pointer: str
) -> None:
    answer = client.post(path, json={**BODIES[path], **change})
    assert (answer.status_code, code(answer)) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("max_tokens", [-5, 0, 10**30, "5", 1.5])
def test_completions__bound_that_is_none__is_400_with_its_param(client: httpx.Client, max_tokens: Any) -> None:
    answer = client.post("/v1/chat/completions", json={**BODIES["/v1/chat/completions"], "max_tokens": max_tokens})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "max_tokens"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        *("cursor=%00", "cursor=abc", "cursor=AAAAAAAAAAAAAAAAAAAAAA", "cursor=_____________________w"),
        *("cursor=________cACAAAAAAAAAAA", "cursor=%F0%9F%98%80", "%00=1", "subject_id=%00"),
        *("limit=0", "limit=-1", "limit=9999999999999999999999", "limit=x"),
    ],
)  # fmt: skip
def test_query__of_nobody__is_422_and_named(client: httpx.Client, path: str, query: str) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, code(answer)) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("#/query/")


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/audit"])
@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("0058-11-06T15:41:33.93-21:26", 200), ("2026-11-01", 200), ("2026-11-01T00:00:00%2B05:30", 200), ("0.5", 422),
        ("2026-13-45", 422), ("0001-01-01T00:00:00%2B14:00", 422), ("9999-12-31T23:59:59-14:00", 422),
    ],
)  # fmt: skip
def test_since__odd_moments__are_read_in_utc_or_refused(
    client: httpx.Client, path: str, moment: str, status: int
) -> None:
    assert client.get(f"{path}?since={moment}").status_code == status
    assert client.get(f"{path}?until={moment}").status_code == status


IDS_OF_NOTHING = [
    *("%00", "a%00b", "%ff", "%F0%9F%98%80", "%0a", "-1", "..%2f..%2f", "x" * 3000, "mem_" + "z" * 26),
    # The last moment that a UUIDv7 can tell is beyond the calendar.
    *("req_7zzzzzzzzze008000000000000", "mem_00000000000000000000000000"),
]


@pytest.mark.parametrize("name", IDS_OF_NOTHING)
def test_model__of_nothing__is_404_in_openais_shape(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/v1/models/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json"), answer.text
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("noun", ["memories", "proposals", "requests", "operations", "keys", "personas", "subjects"])
@pytest.mark.parametrize("name", IDS_OF_NOTHING)
def test_id__of_nothing__is_404_as_a_problem(client: httpx.Client, noun: str, name: str) -> None:
    answer = client.get(f"/v1/{noun}/{name}")
    assert answer.status_code == 404, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert code(answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/chat", "application/problem+json"), ("/v1/chat/completions", "application/json")]
)
def test_method__not_offered__is_405_in_the_paths_dialect(
    client: httpx.Client, method: str, path: str, kind: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"], answer.headers["content-type"]) == (405, "POST", kind)
    if method != "HEAD":
        assert code(answer) == "method_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {"prefer": b"respond-async, \xff"}, {"if-match": b"\xff"},
        {"accept": b"text/html"}, {"content-type": b"\xff"}, {"x-request-id": b"x" * 9000},
    ],
)  # fmt: skip
def test_header__with_odd_bytes__does_no_harm(client: httpx.Client, headers: dict[str, bytes]) -> None:
    assert client.get("/v1/me", headers=headers).status_code == 200
    assert client.post("/v1/chat/completions", json=BODIES["/v1/chat/completions"], headers=headers).status_code == 200
