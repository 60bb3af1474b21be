"""``calendar.create``: one event in a calendar of the organization's, over CalDAV.

Exactly once for good: the event's UID is made of the proposal's id, and it is stored with ``If-None-Match: *``. A
repetition after a crash meets its own event, sees that it is there, and is done.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from icalendar import Calendar, Event

from gateway.core.plain import clean
from gateway.governance.proposals import registry, targets
from gateway.governance.proposals.errors import EffectFailed
from gateway.governance.proposals.executors import caldav
from gateway.governance.proposals.executors.caldav import Collection
from gateway.governance.proposals.executors.webhook import NAME
from gateway.governance.proposals.reach import Reach
from gateway.governance.proposals.types import Draft, Effect, Proposal

_MARK = "X-IKIRO-PROPOSAL"
_DEFAULT_LENGTH = timedelta(hours=1)
_MOST_SHOWN = 10
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "calendar.create",
    "description": "Put one event into a calendar of the organization's.",
    "type": "object",
    "additionalProperties": False,
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 300, "pattern": "\\S"},
        "when": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "description": "When it begins: ISO 8601 with an offset, or a date for a whole day. Words are kept for the "
            "eye of whoever decides, but only an exact time can be carried out.",
        },
        "until": {"type": "string", "minLength": 1, "maxLength": 64, "description": "When it ends; written as when."},
        "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 43_200},
        "location": {"type": "string", "maxLength": 500},
        "description": {"type": "string", "maxLength": 8_000},
        "target": {**NAME, "description": "Which of the organization's calendars; may be left out for the only one."},
    },
}


def prepare(proposal: Proposal) -> Collection:
    target = targets.choose(targets.Kind.CALDAV, proposal.payload.get("target"))
    return collection_of(target)


def collection_of(target: targets.Target) -> Collection:
    return Collection(target.name, target.url, target.username, target.secret())


async def create(proposal: Proposal, collection: Collection) -> Effect:
    """Store the event, or find that an earlier attempt did. Raises EffectFailed, and what ``egress.open`` raises."""
    uid = uid_of(proposal)
    answer = await caldav.put_new(collection, uid, document(proposal))
    if answer is None or answer.etag is None:
        answer = await caldav.get(collection, uid)
        if answer is None or not _is_ours(answer.body, proposal):
            told = f"Something else stands in {collection.name!r} where the event belongs."
            raise EffectFailed(told, code="calendar_refused")
    return Effect({"target": collection.name, "uid": uid, "url": collection.event_url(uid), "etag": answer.etag})


async def remove(proposal: Proposal, collection: Collection) -> dict[str, Any]:
    """Delete the event, unless somebody has edited it since."""
    result = proposal.result or {}
    deleted = await caldav.delete(collection, result.get("uid") or uid_of(proposal), result.get("etag"))
    return {"target": collection.name, "deleted": deleted}


async def overlapping(proposal: Proposal, collection: Collection) -> dict[str, Any]:
    """What stands in the calendar at that time, for the diff."""
    start, end = (_midnight(moment) for moment in span(proposal.payload))
    found = [event for text in await caldav.between(collection, start, end) for event in _events(text)]
    return {"overlaps": found[:_MOST_SHOWN], "overlapping": len(found)}


def diff(draft: Draft, _reach: Reach) -> dict[str, Any]:
    """What would stand in the calendar, with its times as they are understood; without an exact time, that it is
    missing."""
    after = {name: draft.payload[name] for name in ("title", "location", "description") if name in draft.payload}
    try:
        start, end = span(draft.payload)
    except EffectFailed as error:
        return {"before": None, "after": {**after, "when": draft.payload.get("when")}, "problem": error.code}
    return {"before": None, "after": {**after, "start": start.isoformat(), "end": end.isoformat()}}


def span(payload: dict[str, Any]) -> tuple[datetime, datetime] | tuple[date, date]:
    """From when to when: two moments with offsets, or two days, the second of them the first that is free again.
    Raises EffectFailed ``calendar_time_unclear``."""
    start = _moment("when", payload.get("when"))
    if "until" in payload:
        end = _moment("until", payload["until"])
        if isinstance(start, datetime) is not isinstance(end, datetime) or end <= start:
            raise _unclear("until", payload["until"], "after when, and written as it is")
        return start, end
    minutes = payload.get("duration_minutes")
    length = timedelta(minutes=minutes) if minutes else _DEFAULT_LENGTH
    try:
        return (start, start + length) if isinstance(start, datetime) else (start, start + timedelta(days=1))
    except OverflowError:
        raise _unclear("when", payload["when"], "before the end of the year 9999") from None


def document(proposal: Proposal) -> bytes:
    """The event as iCalendar: the same bytes for every attempt."""
    start, end = span(proposal.payload)
    event = Event()
    event.add("uid", uid_of(proposal))
    event.add("dtstamp", (proposal.decided_at or proposal.created_at).astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", start.astimezone(UTC) if isinstance(start, datetime) else start)
    event.add("dtend", end.astimezone(UTC) if isinstance(end, datetime) else end)
    event.add("summary", clean(proposal.payload["title"]))
    for name in ("location", "description"):
        if proposal.payload.get(name):
            event.add(name, clean(proposal.payload[name]))
    event.add(_MARK, proposal.public_id)
    calendar = Calendar()
    calendar.add("prodid", "-//Ikiro//Gateway//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def uid_of(proposal: Proposal) -> str:
    return f"{proposal.public_id}@ikiro"


def _midnight(moment: datetime | date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


def _moment(name: str, text: Any) -> datetime | date:
    if not isinstance(text, str):
        raise _unclear(name, text, "an exact time")
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError("no offset")
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unclear(name, text, "an exact time") from None


def _unclear(name: str, text: Any, wanted: str) -> EffectFailed:
    said = f"not {text[:40]!r}" if isinstance(text, str) else "and is missing"
    told = f"{name} must be {wanted}, such as 2026-11-07T10:00:00-08:00, {said}."
    return EffectFailed(told, code="calendar_time_unclear")


def _is_ours(body: bytes, proposal: Proposal) -> bool:
    return any(event.get("uid") == uid_of(proposal) for event in _components(body))


def _events(body: bytes) -> list[dict[str, Any]]:
    found = []
    for event in _components(body):
        start, end = event.get("dtstart"), event.get("dtend")
        found.append(
            {
                "uid": str(event.get("uid", ""))[:256],
                "title": clean(str(event.get("summary", "")))[:300],
                "start": start.dt.isoformat() if start is not None else None,
                "end": end.dt.isoformat() if end is not None else None,
            }
        )
    return found


def _components(body: bytes) -> list[Any]:
    try:
        return list(Calendar.from_ical(body).walk("VEVENT"))
    except ValueError:
        return []  # somebody else's event that is no iCalendar is not ours, and shows nothing


EXECUTOR = registry.Executor(
    type="calendar.create",
    schema=SCHEMA,
    diff=diff,
    external=registry.External(prepare=prepare, call=create, undo=remove, look=overlapping),
)
