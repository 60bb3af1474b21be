"""The same key while the first request is still at work: one of them works, the others wait for it or follow it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.repeats.support import (
    CHAT,
    COMPLETIONS,
    asked,
    at_once,
    body_of,
    entries,
    fresh,
    here,
    keyed,
    replayed,
)

SLOW = "openai/fake:normal,delay_ms=800"
PACED = "openai/fake:normal,chunks=20,pace_ms=60"


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_buffered__ten_at_once_on_two_workers__one_model_call_one_entry(
    gateway: Gateway, spare: Gateway, upstream: Any, path: str
) -> None:
    mark = fresh()
    body, since = body_of(path, mark, model=SLOW), here(gateway.acme)

    def post(at: int) -> Any:
        with (gateway if at % 2 else spare).acme.client() as client:
            return client.post(path, json=body, headers=keyed(mark))

    with at_once(10, post) as answers:
        assert [answer.status_code for answer in answers] == [200] * 10
        assert len({answer.content for answer in answers}) == 1
        assert sorted(map(replayed, answers)) == [False] + [True] * 9
    assert len(asked(upstream, mark)) == 1
    assert len(entries(gateway.acme, since=since)) == 1


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_stream__six_at_once_on_two_workers__follow_the_one_that_works(
    gateway: Gateway, spare: Gateway, upstream: Any, path: str
) -> None:
    mark = fresh()
    body, since = body_of(path, mark, model=PACED, stream=True), here(gateway.acme)

    def post(at: int) -> Any:
        with (gateway if at % 2 else spare).acme.client() as client:
            return client.post(path, json=body, headers=keyed(mark))

    with at_once(6, post) as answers:
        assert [answer.status_code for answer in answers] == [200] * 6
        assert len({answer.text.replace(": heartbeat\n\n", "") for answer in answers}) == 1
        assert sorted(map(replayed, answers)) == [False] + [True] * 5
    assert ("message.done" if path == CHAT else "[DONE]") in answers[0].text
    assert len(asked(upstream, mark)) == 1
    assert len(entries(gateway.acme, since=since)) == 1


def test_keys__made_five_times_at_once__are_one(gateway: Gateway, spare: Gateway) -> None:
    name = fresh("at-once")

    def post(at: int) -> Any:
        with (gateway if at % 2 else spare).acme.client() as client:
            return client.post("/v1/keys", json={"name": name}, headers=keyed(name))

    with at_once(5, post) as answers:
        assert [answer.status_code for answer in answers] == [201] * 5
        assert len({answer.json()["secret"] for answer in answers}) == 1
    with gateway.acme.client() as client:
        assert len(client.get(f"/v1/keys?q={name}").json()["data"]) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_worker__killed_in_the_middle__lets_the_next_one_work(
    gateway: Gateway, spare: Gateway, upstream: Any, stream: bool
) -> None:
    """The claim of the dead worker lapses with its lease; then the same key is worked on anew, and once."""
    mark, since = fresh(), here(gateway.acme)
    body = body_of(COMPLETIONS, mark, model="openai/fake", stream=stream)
    upstream.script("stall", after=1)

    def first(_: int) -> None:
        with spare.acme.client() as client, pytest.raises(httpx.HTTPError):
            client.post(COMPLETIONS, json=body, headers=keyed(mark))

    def kill(_: int) -> None:
        eventually(lambda: asked(upstream, mark), within=30)
        spare.web.kill()

    try:
        with at_once(2, lambda at: (first, kill)[at](at)):
            upstream.script("normal")
        with gateway.acme.client() as client:
            other = client.post(COMPLETIONS, json=body_of(COMPLETIONS, fresh("other")), headers=keyed(mark))
            assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
            second = client.post(COMPLETIONS, json=body, headers=keyed(mark))
            assert (second.status_code, replayed(second)) == (200, False)
            third = client.post(COMPLETIONS, json=body, headers=keyed(mark))
            assert (third.content, replayed(third)) == (second.content, True)
    finally:
        upstream.script("normal")
        spare.web.start()
        spare.wait_ready(60)
    assert len(asked(upstream, mark)) == 2
    dead, alive = sorted(entries(gateway.acme, since=since), key=lambda entry: entry["request_id"])
    assert (dead["usage_source"], alive["usage_source"]) == ("estimated", "provider")
    assert alive["request_id"] == second.headers["x-request-id"]
