"""Streams that are taken up again, cancelled, or drawn to their end without their caller."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.factories.people import People
from tests.harness import Gateway, eventually
from tests.surfaces.repeats.support import CHAT, COMPLETIONS, asked, body_of, entries, fresh, here, key_of, turn

PACED = "openai/fake:normal,chunks=12,pace_ms=120"


def frames(text: str) -> list[tuple[str, str | None, str]]:
    """``(event, id, block)`` of each frame that is not a comment."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], lines.get("id"), block))
    return found


def leave_after(client: httpx.Client, path: str, body: dict[str, Any], count: int) -> tuple[str, str]:
    """Read ``count`` frames of a stream and hang up: (the request's id, what was read)."""
    read = ""
    with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200, answer.read()
        for text in answer.iter_text():
            read += text
            if read.count("\n\n") >= count:
                break
        return answer.headers["x-request-id"], read


def test_take_up__after_every_frame__gives_exactly_the_rest(gateway: Gateway) -> None:
    subject = fresh("subject")
    with gateway.acme.client() as client:
        answer = client.post(CHAT, json=turn(subject, stream=True))
        whole, address = frames(answer.text), f"/v1/requests/{answer.headers['x-request-id']}/stream"
        assert [int(number) for _, number, _ in whole] == list(range(1, len(whole) + 1))
        assert whole[-1][0] == "message.done"
        for after in range(len(whole)):
            rest = client.get(address, headers={"last-event-id": str(after)} if after else {})
            assert rest.headers["content-type"].startswith("text/event-stream")
            assert frames(rest.text) == whole[after:]
            assert frames(client.get(f"{address}?after={after}").text) == whole[after:]
        assert client.get(address, headers={"last-event-id": str(len(whole))}).status_code == 204
        assert client.get(address, headers={"last-event-id": "soon"}).status_code == 422


def test_take_up__while_it_runs__follows_live_to_the_same_end(gateway: Gateway) -> None:
    with gateway.acme.client() as client, gateway.acme.client() as second:
        followed, first = "", 0.0
        with client.stream("POST", CHAT, json=turn(fresh("subject"), model=PACED, stream=True)) as answer:
            chunks = answer.iter_text()
            own = next(chunks)
            with second.stream("GET", f"/v1/requests/{answer.headers['x-request-id']}/stream") as other:
                assert other.status_code == 200
                began = time.monotonic()
                for chunk in other.iter_text():
                    followed += chunk
                    first = first or time.monotonic() - began
            own += "".join(chunks)
    assert frames(followed) == frames(own)
    assert frames(own)[-1][0] == "message.done"
    assert first < 1.0


def test_caller__that_hangs_up__cancels_the_model_and_the_stream_says_so(gateway: Gateway, upstream: Any) -> None:
    mark = fresh()
    with gateway.acme.client() as client:
        request_id, read = leave_after(client, CHAT, turn(mark, mark, model=PACED, stream=True), 4)
        eventually(lambda: asked(upstream, mark)[0]["disconnected"], within=10)
        seen = frames(read)[-1][1]
        rest = eventually(
            lambda: (
                (found := frames(client.get(f"/v1/requests/{request_id}/stream?after={seen}").text))
                and found[-1][0] == "error"
                and found
            ),
            within=10,
        )
    assert '"code": "stream_cancelled"' in rest[-1][2]
    assert [int(number) for _, number, _ in rest] == list(range(int(seen) + 1, int(seen) + 1 + len(rest)))


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_draining_key__whose_caller_hangs_up__completes_and_is_metered_whole(
    gateway: Gateway, upstream: Any, people: People, path: str
) -> None:
    mark = fresh()
    secret = key_of(people, gateway.base_url, on_disconnect="drain")
    since = here(gateway.acme)
    with gateway.acme.client(secret) as client:
        request_id, read = leave_after(client, path, body_of(path, mark, model=PACED, stream=True), 3)
        eventually(lambda: asked(upstream, mark)[0]["finished"], within=20)
        if path == CHAT:
            rest = client.get(f"/v1/requests/{request_id}/stream").text
            assert frames(rest)[-1][0] == "message.done"
            assert rest.startswith(read[: read.rindex("\n\n")])
    (entry,) = entries(gateway.acme, since=since)
    assert (entry["request_id"], entry["status"], entry["usage_source"]) == (request_id, 200, "provider")
    assert entry["usage"]["completion_tokens"] > 0


def test_draining_key__dropped_at_every_frame__has_the_whole_stream_in_two_parts(
    gateway: Gateway, people: People
) -> None:
    """What was read before the connection broke and what was taken up afterwards are the stream, with nothing twice."""
    secret = key_of(people, gateway.base_url, on_disconnect="drain")
    body = turn(fresh("subject"), model="openai/fake:normal,chunks=6,pace_ms=20", stream=True)
    with gateway.acme.client(secret) as client:
        count = len(frames(client.post(CHAT, json=body).text))
        for at in range(1, count):
            request_id, read = leave_after(client, CHAT, body, at)
            before = frames(read[: read.rindex("\n\n") + 2])
            rest = client.get(f"/v1/requests/{request_id}/stream", headers={"last-event-id": str(before[-1][1])})
            after = frames(rest.text) if rest.status_code == 200 else []
            assert [int(number) for _, number, _ in before + after] == list(range(1, count + 1))
            assert (before + after)[-1][0] == "message.done"


def test_draining_key__buffered_and_gone__completes_and_is_metered_whole(
    gateway: Gateway, upstream: Any, people: People
) -> None:
    mark = fresh()
    secret = key_of(people, gateway.base_url, on_disconnect="drain")
    since = here(gateway.acme)
    body = body_of(COMPLETIONS, mark, model="openai/fake:normal,delay_ms=1500")
    with gateway.acme.client(secret) as client, pytest.raises(httpx.TimeoutException):
        client.post(COMPLETIONS, json=body, timeout=0.6)
    eventually(lambda: asked(upstream, mark)[0]["finished"], within=20)
    (entry,) = entries(gateway.acme, since=since)
    assert (entry["status"], entry["usage_source"]) == (200, "provider")


def test_person__of_an_organization_that_drains__completes_and_is_metered_whole(
    gateway: Gateway, upstream: Any, people: People
) -> None:
    """People have no key to say it: their organization chooses."""
    mark = fresh()
    person = people.client(people.member("developer"), people.acme)
    _choose(people, "drain")
    try:
        eventually(lambda: _drained(person, upstream, fresh()), within=20)
        since = here(gateway.acme)
        leave_after(person, CHAT, turn(mark, mark, model=PACED, stream=True), 3)
        eventually(lambda: asked(upstream, mark)[0]["finished"], within=20)
        (entry,) = entries(gateway.acme, since=since)
        assert (entry["status"], entry["usage_source"]) == (200, "provider")
    finally:
        _choose(people, "cancel")


def _choose(people: People, how: str) -> None:
    owner = people.client(people.member("owner"), people.acme)
    changed = owner.patch("/v1/organization/settings", json={"on_disconnect": how})
    assert changed.status_code == 200, changed.text


def _drained(person: httpx.Client, upstream: Any, mark: str) -> bool:
    """Whether the worker knows the organization's choice yet."""
    leave_after(person, CHAT, turn(mark, mark, model=PACED, stream=True), 3)
    (call,) = eventually(lambda: [one for one in asked(upstream, mark) if one["finished"] or one["disconnected"]])
    return bool(call["finished"])


def test_draining_key__hung_up_and_sent_again_with_its_key__gets_the_whole_answer(
    gateway: Gateway, upstream: Any, people: People
) -> None:
    """A phone that lost its connection: the second try gets what the first one began, in either dialect."""
    secret = key_of(people, gateway.base_url, on_disconnect="drain")
    for path in (CHAT, COMPLETIONS):
        mark = fresh()
        body = body_of(path, mark, model=PACED, stream=True)
        with gateway.acme.client(
            secret,
        ) as client:
            client.headers["idempotency-key"] = mark
            leave_after(client, path, body, 3)
            again = client.post(path, json=body)
            assert again.headers["idempotent-replayed"] == "true"
            assert ("message.done" if path == CHAT else "[DONE]") in again.text
            assert client.post(path, json=body).text == again.text
        assert len(asked(upstream, mark)) == 1


def test_take_up__by_others__is_refused_without_a_word_of_it(gateway: Gateway, people: People) -> None:
    subject = fresh("subject")
    with gateway.acme.client() as client, gateway.globex.client() as foreign:
        answer = client.post(CHAT, json=turn(subject, stream=True))
        address = f"/v1/requests/{answer.headers['x-request-id']}/stream"
        assert foreign.get(address).status_code == 404
        assert client.get("/v1/requests/req_nothing/stream").status_code == 404
        unknown = "req_01m6v0h0e0f0v8h0e0f0v8h0e0"
        assert client.get(f"/v1/requests/{unknown}/stream").status_code == 404
        for limits, code in (
            ({"scopes": ("chat",)}, "scope_missing"),
            ({"subject_ids": ("somebody-else",)}, "subject_not_allowed"),
            ({"persona_ids": ("another",)}, "persona_not_allowed"),
        ):
            with gateway.acme.client(key_of(people, gateway.base_url, **limits)) as other:
                refused = other.get(address)
                assert (refused.status_code, refused.json()["code"]) == (403, code)
                assert subject not in refused.text
        with gateway.acme.client(key_of(people, gateway.base_url, scopes=("requests:read",))) as reader:
            assert frames(reader.get(address).text) == frames(answer.text)


def test_take_up__of_what_was_no_stream__is_410_for_its_caller_and_404_for_others(gateway: Gateway) -> None:
    since = here(gateway.acme)
    with gateway.acme.client() as client, gateway.globex.client() as foreign:
        request_id = client.post(CHAT, json=turn(fresh("subject"))).headers["x-request-id"]
        assert len(entries(gateway.acme, since=since)) == 1
        gone = client.get(f"/v1/requests/{request_id}/stream")
        assert (gone.status_code, gone.json()["code"]) == (410, "stream_expired")
        assert foreign.get(f"/v1/requests/{request_id}/stream").status_code == 404


def test_follower__of_a_worker_that_is_killed__is_told_after_its_lease(
    gateway: Gateway, spare: Gateway, upstream: Any
) -> None:
    mark = fresh()
    try:
        with spare.acme.client() as client, gateway.acme.client() as follower:
            with client.stream("POST", CHAT, json=turn(mark, model=PACED, stream=True)) as answer:
                text = answer.iter_text()
                read = next(text)
                with follower.stream("GET", f"/v1/requests/{answer.headers['x-request-id']}/stream") as other:
                    spare.web.kill()
                    began = time.monotonic()
                    followed = "".join(other.iter_text())
                    told_after = time.monotonic() - began
                with pytest.raises(httpx.HTTPError):
                    read += "".join(text)
    finally:
        spare.web.start()
        spare.wait_ready(60)
    *kept, (event, number, problem) = frames(followed)
    assert (event, number) == ("error", None)
    assert '"code": "stream_lost"' in problem
    assert [int(number) for _, number, _ in kept] == list(range(1, len(kept) + 1))
    assert len(kept) >= len(frames(read)) - 1
    assert told_after < 25


def test_cache__away__streams_and_repeats_go_on_and_following_says_503(forgetful: Gateway, upstream: Any) -> None:
    mark = fresh()
    body = turn(mark, mark, stream=True)
    with forgetful.acme.client() as client:
        answer = client.post(CHAT, json=body, headers={"idempotency-key": mark})
        assert frames(answer.text)[-1][0] == "message.done"
        refused = client.get(f"/v1/requests/{answer.headers['x-request-id']}/stream")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        again = client.post(CHAT, json=body, headers={"idempotency-key": mark})
        assert (again.content, again.headers["idempotent-replayed"]) == (answer.content, "true")
    assert len(asked(upstream, mark)) == 1
