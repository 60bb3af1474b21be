"""``GET /v1/requests/tail``: what is written is seen, once, by whom it concerns, also after a break."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.surfaces.v1.requests_tail import MAX_TAILS
from tests.factories.people import People
from tests.harness import Gateway, Org, eventually

PATIENCE_S = 60
ASKED = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "hi"}]}


@contextmanager
def tail(client: httpx.Client, q: str, last_id: str | None = None) -> Iterator[Iterator[tuple[str, str, Any]]]:
    """The events of a tail as (name, id, data), once it has begun."""
    headers = {"last-event-id": last_id} if last_id else {}
    with client.stream("GET", "/v1/requests/tail", params={"q": q}, headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = _events(answer)
        assert next(events)[0] == "tail.started"
        yield events


def _events(answer: httpx.Response) -> Iterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields and not line:
            yield fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
            fields = {}


def test_tail__requests_and_a_break__shows_each_once_within_seconds(
    gateway: Gateway, client: httpx.Client, subject: str, say
) -> None:
    with tail(client, f"subject:{subject}") as events:
        say("unseen", subject_id=f"{subject}-other")
        first = say().json()["request_id"]
        began = time.monotonic()
        name, number, shown = next(events)
        assert (name, shown["request_id"], shown["status"]) == ("request", first, 200)
        assert time.monotonic() - began < 20
    second, third = say().json()["request_id"], say().json()["request_id"]
    with tail(client, f"subject:{subject}", number) as events:
        assert [next(events)[2]["request_id"], next(events)[2]["request_id"]] == [second, third]
    with gateway.globex.client() as other, tail(other, f"subject:{subject}", number) as events:
        other_id = say(by=other).json()["request_id"]
        assert next(events)[2]["request_id"] == other_id


def test_tail__more_than_may_be_open__is_refused_until_one_closes(gateway: Gateway, client: httpx.Client) -> None:
    with ExitStack() as several:
        for _ in range(MAX_TAILS):
            several.enter_context(tail(client, "kind:request"))
        refused = client.get("/v1/requests/tail")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tails")
        assert int(refused.headers["retry-after"]) > 0
        with gateway.globex.client() as other, tail(other, ""):
            pass  # another organization's tails are its own

    def again() -> bool:
        with client.stream("GET", "/v1/requests/tail") as answer:
            return answer.status_code == 200

    assert eventually(again, within=30)


HERE = "https://here.example"
# How long a tail may go on after what ends it was answered: told about a second, on a machine that has more to do.
ENDS_S = 5.0


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=2)).isoformat()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: {"ip_ranges": ["203.0.113.0/24"]}, "ip_not_allowed"),
        (lambda: {"origins": ["https://elsewhere.example"]}, "origin_not_allowed"),
        (lambda: {"scopes": ["chat"]}, "scope_missing"),
        (lambda: {"expires_at": _soon()}, "key_expired"),
        (lambda: {"subject_ids": ["somebody-else"]}, "access_changed"),
        (lambda: {"persona_ids": []}, "access_changed"),
        (None, "key_revoked"),
    ],
)
def test_tail__key_revoked_ended_or_narrowed_meanwhile__ends_within_about_a_second(
    org: Org, owner: httpx.Client, client: httpx.Client, change: Callable[[], dict[str, Any]] | None, code: str
) -> None:
    made = owner.post("/v1/keys", json={"name": "tail", "scopes": ["requests:read"]}).json()
    with org.client(made["secret"]) as watching, tail(client, "") as others:
        watching.headers["origin"] = HERE
        eventually(lambda: watching.get("/v1/requests?limit=1").status_code == 200, within=10)
        with tail(watching, "") as events:
            path = f"/v1/keys/{made['id']}"
            answer = owner.delete(path) if change is None else owner.patch(path, json=change())
            assert answer.status_code in (200, 204), answer.text
            began = time.monotonic()
            name, number, told = next(event for event in events if event[0] != "request")
            assert time.monotonic() - began < ENDS_S
            if code == "access_changed":
                assert (name, told) == ("tail.ended", {"reason": code, "reconnect": True})
            else:
                assert (name, number, told["code"]) == ("error", "", code)
            assert list(events) == []
        # Whoever else watches goes on.
        shown = client.post("/v1/chat/completions", json=ASKED).headers["x-request-id"]
        assert next(event for event in others if event[2]["request_id"] == shown)[0] == "request"


def test_tail__member_removed_meanwhile__ends_within_about_a_second(
    org: Org, owner: httpx.Client, people: People
) -> None:
    from tenants import selectors

    someone = people.member("developer", of=org)
    watching = people.client(someone, selectors.organization_by_slug(org.slug).ref)
    with tail(watching, "") as events:
        assert owner.delete(f"/v1/members/{someone.public_id}").status_code in (200, 204)
        began = time.monotonic()
        name, _, problem = next(event for event in events if event[0] != "request")
        assert time.monotonic() - began < ENDS_S
        assert (name, problem["code"]) == ("error", "not_a_member")


def test_tails__several_of_one_organization__each_see_every_request(
    gateway: Gateway, client: httpx.Client, subject: str, say
) -> None:
    with ExitStack() as several:
        watching = [several.enter_context(tail(client, f"subject:{subject}")) for _ in range(4)]
        foreign = several.enter_context(gateway.globex.client())
        theirs = several.enter_context(tail(foreign, f"subject:{subject}"))
        made = [say().json()["request_id"] for _ in range(3)]
        for events in watching:
            assert [next(events)[2]["request_id"] for _ in made] == made
        own = say(by=foreign).json()["request_id"]
        assert next(theirs)[2]["request_id"] == own


def test_tail__unreadable_search_or_id__is_refused_before_it_begins(client: httpx.Client) -> None:
    answer = client.get("/v1/requests/tail", params={"q": "nope:1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")
    for wrong in ("abc", "-1", "1" * 30):
        assert client.get("/v1/requests/tail", headers={"last-event-id": wrong}).status_code == 422
