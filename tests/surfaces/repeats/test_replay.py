"""The same key again, after the first request is over: the stored bytes at no cost, to its own caller alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.factories.people import People
from tests.harness import Gateway
from tests.surfaces.repeats.support import (
    CHAT,
    COMPLETIONS,
    asked,
    body_of,
    completion,
    entries,
    fresh,
    here,
    key_of,
    keyed,
    replayed,
    turn,
)


def test_key__created_twice__is_one_key_with_one_secret(gateway: Gateway) -> None:
    name = fresh("twice")
    with gateway.acme.client() as client:
        first, second = (client.post("/v1/keys", json={"name": name}, headers=keyed(name)) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201), first.text
        assert first.content == second.content
        assert first.json()["secret"].startswith("ik_live_")
        assert (replayed(first), replayed(second)) == (False, True)
        assert second.headers["original-request-id"] == first.headers["x-request-id"]
        assert second.headers["x-request-id"] != first.headers["x-request-id"]
        assert second.headers["content-type"] == first.headers["content-type"]
        assert int(second.headers["ratelimit-remaining"]) < int(second.headers["ratelimit-limit"])
        assert [key["name"] for key in client.get(f"/v1/keys?q={name}").json()["data"]] == [name]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_model_call__twice__asks_the_model_once_and_costs_once(
    gateway: Gateway, upstream: Any, path: str, stream: bool
) -> None:
    mark = fresh()
    body, since = body_of(path, mark, stream=stream), here(gateway.acme)
    with gateway.acme.client() as client:
        first, second = (client.post(path, json=body, headers=keyed(mark)) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert first.content == second.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    assert (replayed(first), replayed(second)) == (False, True)
    assert len(asked(upstream, mark)) == 1
    (entry,) = entries(gateway.acme, since=since)
    assert entry["request_id"] == first.headers["x-request-id"] == second.headers["original-request-id"]


def test_other_request__with_a_used_key__is_422_and_asks_nobody(gateway: Gateway, upstream: Any) -> None:
    mark, other = fresh(), fresh("other")
    with gateway.acme.client() as client:
        assert client.post(CHAT, json=turn(mark, mark), headers=keyed(mark)).status_code == 200
        since = here(gateway.acme)
        for path, body, headers in (
            (CHAT, turn(mark, other), {}),
            ("/v1/teams", {"id": other, "name": other}, {}),
            (CHAT, turn(mark, mark), {"x-subject-id": other}),
            (f"{CHAT}?v={other}", turn(mark, mark), {}),
        ):
            refused = client.post(path, json=body, headers=keyed(mark, **headers))
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch"), refused.text
        compat = client.post(COMPLETIONS, json=completion(other), headers=keyed(mark))
        assert (compat.status_code, compat.json()["error"]["code"]) == (422, "idempotency_mismatch")
    assert asked(upstream, other) == []
    assert entries(gateway.acme, since=since) == []


def test_same_key__of_other_callers_and_organizations__never_crosses(
    gateway: Gateway, upstream: Any, people: People
) -> None:
    mark = fresh()
    body = completion(mark)
    second_key = key_of(people, gateway.base_url)
    with gateway.acme.client() as one, gateway.acme.client(second_key) as two, gateway.globex.client() as foreign:
        person = people.client(people.member("developer"), people.acme)
        answers = [who.post(COMPLETIONS, json=body, headers=keyed(mark)) for who in (one, two, foreign, person)]
    assert [(answer.status_code, replayed(answer)) for answer in answers] == [(200, False)] * 4
    assert len(asked(upstream, mark)) == 4


def test_organization__made_twice_by_a_person__is_one(gateway: Gateway, people: People) -> None:
    own, slug = people.client(people.person()), fresh("shop")
    body = {"name": "A Shop", "slug": slug}
    first, second = (own.post("/v1/organizations", json=body, headers=keyed(slug)) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201), second.text
    assert first.content == second.content
    assert (replayed(first), replayed(second)) == (False, True)
    # Without the key it is another request, and the name is taken.
    assert own.post("/v1/organizations", json=body).status_code == 409
    other = people.client(people.person()).post("/v1/organizations", json=body, headers=keyed(slug))
    assert (other.status_code, replayed(other)) == (409, False)


@pytest.mark.parametrize("key", [b"\xff", b"", b"x" * 256, b"a\tb"])
def test_key__that_is_none__is_400_before_any_work(gateway: Gateway, upstream: Any, key: bytes) -> None:
    mark = fresh()
    with gateway.acme.client() as client:
        refused = client.post(CHAT, json=turn(mark, mark), headers={"idempotency-key": key})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")
        assert client.get("/v1/me", headers={"idempotency-key": key}).status_code == 200
    assert asked(upstream, mark) == []


def test_refusals__of_every_kind__give_the_key_back(gateway: Gateway, upstream: Any, people: People) -> None:
    """A validation error, a missing thing, a missing scope: the same key works once the reason is gone."""
    mark = fresh()
    narrow = key_of(people, gateway.base_url, scopes=("memories:read",))
    with gateway.acme.client() as client, gateway.acme.client(narrow) as reader:
        assert client.post(CHAT, json={**turn(mark), "messages": []}, headers=keyed(mark)).status_code == 422
        assert client.post(CHAT, json={**turn(mark), "persona_id": "nobody"}, headers=keyed(mark)).status_code == 404
        assert reader.post(CHAT, json=turn(mark), headers=keyed(mark)).status_code == 403
        assert client.post("/v1/nothing", headers=keyed(mark)).status_code == 404
        assert client.post(CHAT, content=b"{", headers=keyed(mark)).status_code == 400
        done = client.post(CHAT, json=turn(mark, mark), headers=keyed(mark))
        assert (done.status_code, replayed(done)) == (200, False)
    assert len(asked(upstream, mark)) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_provider__that_failed__may_be_asked_again_with_the_key(
    gateway: Gateway, upstream: Any, path: str, stream: bool
) -> None:
    """A refusal before the stream and a break in its middle alike: what failed is not an answer to keep."""
    mark = fresh()
    with gateway.acme.client() as client:
        broken = body_of(path, mark, model="openai/fake:cut,after=4" if stream else "openai/fake:status,code=400")
        first = client.post(path, json={**broken, "stream": stream}, headers=keyed(mark))
        assert first.status_code == 200 if stream else first.status_code >= 400, first.text
        again = client.post(path, json={**broken, "stream": stream}, headers=keyed(mark))
        assert (again.status_code, replayed(again)) == (first.status_code, False)
    assert len(asked(upstream, mark)) >= 2


def test_answer__too_large_to_keep__is_done_once_and_said(gateway: Gateway, upstream: Any) -> None:
    mark = fresh()
    body = completion(mark + "x" * 1_200_000, "openai/fake:echo")
    with gateway.acme.client() as client:
        first = client.post(COMPLETIONS, json=body, headers=keyed(mark))
        assert first.status_code == 200
        assert len(first.content) > 1024 * 1024
        second = client.post(COMPLETIONS, json=body, headers=keyed(mark))
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_answer_too_large")
    assert second.headers["x-should-retry"] == "false"
    assert len(asked(upstream, mark)) == 1


def test_replays__beyond_the_request_rate__are_429(gateway: Gateway, people: People) -> None:
    """A replay costs no money, but it is a request."""
    mark = fresh()
    with gateway.acme.client() as client:
        body = completion(mark, "ikiro/sandbox")
        answers: list[httpx.Response] = [client.post(COMPLETIONS, json=body, headers=keyed(mark)) for _ in range(3)]
    left = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
    assert [replayed(answer) for answer in answers] == [False, True, True]
    assert left[2] <= left[0]
