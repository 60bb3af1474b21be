"""``calendar.create`` against a real CalDAV server: one event, whatever is repeated, and away again on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from django.db import connections
from icalendar import Calendar

from gateway.core import clock
from gateway.core.crypto import Secret
from gateway.governance.proposals import carrying, selectors, services, tasks
from gateway.governance.proposals.executors import calendar
from gateway.governance.proposals.executors.calendar import span
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.services import leases, targets
from gateway.governance.proposals.targets import Kind
from gateway.governance.proposals.types import State
from tenants.context import in_tenant, scope
from tests.governance.proposals.outside import CalendarServer, calendar_server
from tests.governance.proposals.support import OWNER, approve, draft, notes, propose, trail

SUBJECT_PK = UUID(int=7)
QUIZ = {"title": "STAT210 Quiz", "when": "2026-11-07T10:00:00-08:00", "duration_minutes": 90, "location": "Room 3, ☕"}


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalendarServer]:
    with calendar_server(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def cal(radicale: CalendarServer, settings: object) -> CalendarServer:
    settings.IKIRO_EGRESS_ALLOW = "127.0.0.1"
    radicale.clear()
    return radicale


def connected(ref, cal, *, password=None, url=None):
    with scope(ref):
        targets.put(
            "work", kind=Kind.CALDAV, url=url or cal.url, username=cal.user, secret=Secret(password or cal.password),
            actor=OWNER,
        )  # fmt: skip


def approved(ref, payload=None):
    proposal = propose(ref, draft(type="calendar.create", payload=payload or QUIZ, subject_pk=SUBJECT_PK))
    approve(ref, proposal.id)
    return proposal


def carry_out(ref, proposal_id):
    with scope(ref):
        tasks.execute.work(ref, str(proposal_id))
        return selectors.get(proposal_id)


def test_create__approved__is_one_event_of_the_proposal(acme, globex, cal):
    connected(acme, cal)
    proposal = approved(acme)
    done = carry_out(acme, proposal.id)
    assert (done.state, done.error) == (State.EXECUTED, None)
    assert done.result["uid"] == f"{proposal.public_id}@ikiro"
    (text,) = cal.events()
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert (str(event["uid"]), str(event["summary"])) == (f"{proposal.public_id}@ikiro", "STAT210 Quiz")
    assert event["dtstart"].dt.isoformat() == "2026-11-07T18:00:00+00:00"
    assert event["dtend"].dt - event["dtstart"].dt == timedelta(minutes=90)
    assert str(event["location"]) == "Room 3, ☕"
    assert done.assertion_id == "mem_of_" + proposal.public_id
    assert (notes(acme), notes(globex), trail(globex)) == (["assertion"], [], ([], []))


def test_create__done_but_not_recorded__the_next_worker_finds_its_own_event(acme, cal):
    connected(acme, cal)
    proposal = approved(acme)
    with scope(acme):
        held = leases.claim(proposal.id)
    import asyncio

    asyncio.run(calendar.create(held.proposal, held.prepared))  # and then the worker died
    assert len(cal.events()) == 1
    with scope(acme):
        late = clock.now() - leases.LEASE - timedelta(seconds=1)
        ProposalRow.objects.filter(pk=proposal.id).update(heartbeat_at=late)
    done = carry_out(acme, proposal.id)
    assert (done.state, done.attempts, len(cal.events())) == (State.EXECUTED, 2, 1)
    assert done.result["etag"]
    assert trail(acme)[1].count("write.executed") == 1


def test_create__delivered_by_many_at_once__is_one_event(acme, cal):
    connected(acme, cal)
    proposal, gate = approved(acme), threading.Barrier(3)

    def deliver():
        gate.wait()
        try:
            carry_out(acme, proposal.id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cal.events()) == 1
    assert notes(acme) == ["assertion"]


@pytest.mark.parametrize(
    ("how", "code"),
    [("password", "calendar_unauthorized"), ("url", "calendar_not_found"), ("when", "calendar_time_unclear")],
)
def test_create__cannot_be__fails_with_the_reason_and_leaves_nothing(acme, cal, how, code):
    connected(
        acme, cal, password="wrong" if how == "password" else None,
        url=cal.url.replace("/team/", "/other/") if how == "url" else None,
    )  # fmt: skip
    proposal = approved(acme, {"title": "Dinner", "when": "Friday 19:00"} if how == "when" else None)
    failed = carry_out(acme, proposal.id)
    assert (failed.state, failed.error["code"]) == (State.FAILED, code)
    assert (cal.events(), notes(acme)) == ([], [])


def undo(ref, proposal_id):
    """As the API does: ask, then have it done."""
    import asyncio

    with scope(ref):
        services.compensate(proposal_id, actor=OWNER, comment="sorry")
    return asyncio.run(carrying.take_back(ref, proposal_id))


def test_compensate__unchanged_event__is_deleted_and_the_assertion_retracted(acme, cal, monkeypatch):
    from gateway.governance.proposals import registry

    retracted = []
    monkeypatch.setattr(registry, "_assertion_retractor", lambda proposal: retracted.append(proposal.assertion_id))
    connected(acme, cal)
    proposal = approved(acme)
    carry_out(acme, proposal.id)
    undone = undo(acme, proposal.id)
    assert (undone.state, undone.compensation.state, undone.compensation.by) == (State.EXECUTED, "done", str(OWNER))
    assert undone.compensation.result == {"target": "work", "deleted": True}
    assert (cal.events(), retracted) == ([], ["mem_of_" + proposal.public_id])
    assert undo(acme, proposal.id) == undone  # once more changes nothing
    assert trail(acme)[1].count("write.compensated") == 1


def test_compensate__somebody_edited_the_event__leaves_it_and_can_be_asked_again(acme, cal):
    connected(acme, cal)
    proposal = approved(acme)
    result = carry_out(acme, proposal.id).result
    edited = httpx.get(result["url"], auth=cal.auth).text.replace("STAT210", "STAT211")
    httpx.put(
        result["url"], auth=cal.auth, content=edited, headers={"content-type": "text/calendar"}
    ).raise_for_status()
    refused = undo(acme, proposal.id)
    assert (refused.compensation.state, refused.compensation.error["code"]) == ("failed", "calendar_event_changed")
    assert "STAT211" in cal.events()[0]
    httpx.delete(result["url"], auth=cal.auth).raise_for_status()
    again = undo(acme, proposal.id)
    assert (again.compensation.state, again.compensation.result["deleted"]) == ("done", False)


def test_compensate__its_worker_was_lost__the_sweep_has_another_do_it(acme, cal, dispatched):
    connected(acme, cal)
    proposal = approved(acme)
    carry_out(acme, proposal.id)
    with scope(acme):
        services.compensate(proposal.id, actor=OWNER)
        services.sweep(grace=timedelta(0))
    assert dispatched == [(acme, proposal.id, 0)]
    assert carry_out(acme, proposal.id).compensation.state == "done"
    assert cal.events() == []


def test_looked__another_event_at_that_time__stands_beside_the_diff(acme, cal):
    connected(acme, cal)
    first = approved(acme)
    carry_out(acme, first.id)
    second = propose(acme, draft(type="calendar.create", payload={**QUIZ, "title": "Dentist"}, subject_pk=SUBJECT_PK))
    import asyncio

    async def look():
        found = await in_tenant(acme, selectors.look, second.id)
        return await carrying.looked(acme, found)

    diff = asyncio.run(look()).diff
    assert diff["after"]["start"] == "2026-11-07T18:00:00+00:00"
    assert (diff["overlapping"], diff["overlaps"][0]["title"]) == (1, "STAT210 Quiz")
    connected(acme, cal, password="wrong")
    assert asyncio.run(look()).diff["look_failed"] == "calendar_unauthorized"


@pytest.mark.parametrize(
    ("payload", "start", "end"),
    [
        ({"when": "2026-11-07"}, "2026-11-07", "2026-11-08"),
        ({"when": "2026-11-07T10:00:00Z"}, "2026-11-07T10:00:00+00:00", "2026-11-07T11:00:00+00:00"),
        ({"when": "2026-11-07", "until": "2026-11-10"}, "2026-11-07", "2026-11-10"),
    ],
)
def test_span__exact__is_understood(payload, start, end):
    assert tuple(moment.isoformat() for moment in span(payload)) == (start, end)


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"when": "tomorrow"}, {"when": "2026-11-07T10:00:00"}, {"when": "2026-11-07", "until": "2026-11-07"},
        {"when": "2026-11-07", "until": "2026-11-08T10:00:00Z"}, {"when": "9999-12-31T23:59:59-14:00"},
    ],
    ids=range(6),
)  # fmt: skip
def test_span__not_exact__is_unclear(payload):
    with pytest.raises(calendar.EffectFailed) as refused:
        span(payload)
    assert refused.value.code == "calendar_time_unclear"
