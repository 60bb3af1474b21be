"""As much CalDAV (RFC 4791) as one event needs: put it unless it is there, get, delete if unchanged, look around.

Everything goes through ``core.egress``; a collection's address ends with a slash, an event's is below it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.governance.proposals.errors import EffectFailed

TIMEOUTS = egress.Timeouts(connect=5, first_byte=10, stall=5, total=20)
_MOST_OF_ANSWER = 1024 * 1024
_CODES = {
    401: "calendar_unauthorized", 403: "calendar_unauthorized", 404: "calendar_not_found", 405: "calendar_not_found",
    409: "calendar_not_found", 410: "calendar_not_found",
}  # fmt: skip
_CALDAV, _DAV = "{urn:ietf:params:xml:ns:caldav}", "{DAV:}"
_PROPFIND = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'
_QUERY = """<?xml version="1.0"?>
<c:calendar-query xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
<prop><c:calendar-data/></prop>
<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="{}" end="{}"/>
</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"""


@dataclass(frozen=True, slots=True)
class Collection:
    """One calendar, and who we are there."""

    name: str
    url: str
    username: str
    password: Secret

    def event_url(self, uid: str) -> str:
        return f"{self.url}{quote(uid, safe='')}.ics"


@dataclass(frozen=True, slots=True)
class Answer:
    """``etag`` is None where the server names none."""

    status: int
    etag: str | None
    body: bytes


async def put_new(collection: Collection, uid: str, event: bytes) -> Answer | None:
    """Store an event unless one is there: the answer, or None when one is there (412). Raises EffectFailed."""
    headers = {"content-type": "text/calendar; charset=utf-8", "if-none-match": "*"}
    answer = await _ask(collection, "PUT", collection.event_url(uid), headers, event)
    if answer.status == 412:
        return None
    _check(collection, answer, {200, 201, 204})
    return answer


async def get(collection: Collection, uid: str) -> Answer | None:
    """An event, or None. Raises EffectFailed."""
    answer = await _ask(collection, "GET", collection.event_url(uid), {}, b"")
    if answer.status in {404, 410}:
        return None
    _check(collection, answer, {200})
    return answer


async def delete(collection: Collection, uid: str, etag: str | None) -> bool:
    """Delete an event if it is still the one with this ``etag``; False when it is gone already. Raises EffectFailed,
    with ``calendar_event_changed`` when somebody has edited it since."""
    headers = {"if-match": etag} if etag is not None else {}
    answer = await _ask(collection, "DELETE", collection.event_url(uid), headers, b"")
    if answer.status in {404, 410}:
        return False
    if answer.status == 412:
        told = f"The event was changed in {collection.name!r} since; it is left as it is."
        raise EffectFailed(told, code="calendar_event_changed")
    _check(collection, answer, {200, 202, 204})
    return True


async def check(collection: Collection) -> None:
    """That the address is a calendar and lets us in. Raises EffectFailed."""
    headers = {"content-type": "application/xml; charset=utf-8", "depth": "0"}
    answer = await _ask(collection, "PROPFIND", collection.url, headers, _PROPFIND)
    _check(collection, answer, {207})
    if _parsed(collection, answer.body).find(f".//{_DAV}resourcetype/{_CALDAV}calendar") is None:
        raise EffectFailed(f"{collection.url} is no calendar.", code="calendar_not_found")


async def between(collection: Collection, start: datetime, end: datetime) -> list[bytes]:
    """The iCalendar documents of the events that touch this time. Raises EffectFailed."""
    headers = {"content-type": "application/xml; charset=utf-8", "depth": "1"}
    query = _QUERY.format(*(f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" for moment in (start, end)))
    answer = await _ask(collection, "REPORT", collection.url, headers, query.encode())
    _check(collection, answer, {207})
    found = _parsed(collection, answer.body).iter(f"{_CALDAV}calendar-data")
    return [(one.text or "").encode() for one in found]


async def _ask(collection: Collection, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
    pair = base64.b64encode(f"{collection.username}:{collection.password.reveal()}".encode()).decode()
    signed = {"authorization": f"Basic {pair}", **headers}
    async with egress.open(
        method, url, signed, body, trusted=False, timeouts=TIMEOUTS, max_body=_MOST_OF_ANSWER
    ) as response:
        return Answer(response.status, response.headers.get("etag"), await response.read())


def _check(collection: Collection, answer: Answer, wanted: set[int]) -> None:
    if answer.status in wanted:
        return
    passing = answer.status in {408, 423, 425, 429} or answer.status >= 500
    code = _CODES.get(answer.status, "calendar_refused")
    raise EffectFailed(f"The calendar {collection.name!r} answered {answer.status}.", code=code, passing=passing)


def _parsed(collection: Collection, body: bytes) -> ElementTree.Element:
    """The XML of an answer. One with a document type is refused: no server needs entities here, and bombs do."""
    try:
        text = body.decode()
        if "<!DOCTYPE" in text:
            raise ElementTree.ParseError("a document type")
        return ElementTree.fromstring(text)  # noqa: S314 - no entities without a document type, and at most 1 MB
    except (ElementTree.ParseError, ValueError):
        told = f"The calendar {collection.name!r} answered something that is no CalDAV."
        raise EffectFailed(told, code="calendar_refused") from None
