"""``GET /v1/requests/tail``: requests as they are written, as server-sent events.

The source is the table that the scheduler writes from the usage stream, asked once a second by its writing order, so a
tail that comes back with ``Last-Event-ID`` misses nothing and no worker need have seen the request. Between two looks
no connection and no thread is held; a slow reader holds nothing but its place. While nothing is written, all tails of
an organization share one look. Whether the caller may still watch is asked several times a second, without I/O.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router

from gateway.core import clock
from gateway.core.endpoint import Call, Endpoint, Scope, call_of, declared, endpoint
from gateway.core.errors import BadRequest, FieldProblem, GatewayError
from gateway.platform.ledger import selectors as ledger
from gateway.platform.requests import query as language
from gateway.platform.requests import selectors as records
from gateway.platform.requests.errors import TooManyTails
from gateway.platform.requests.types import RequestFilter
from gateway.surfaces import problems, sse, standing
from gateway.surfaces.v1.requests import Search, named
from gateway.surfaces.v1.requests_newest import forget, newest
from gateway.surfaces.v1.schemas.requests import RequestOut, recorded, settled
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["requests"])
# Of one organization, at one worker.
MAX_TAILS = 10
TAIL_S, LOOK_EVERY_S, CHECK_EVERY_S = 900.0, 1.0, 0.25
# At most so many requests between two looks at the clock; and how far back a tail may take up again.
BATCH = 200
RESUME_US = 3_600 * 1_000_000
_open: Counter[UUID] = Counter()


@router.get("/requests/tail", summary="Follow requests as they come")
@endpoint(scope=Scope.REQUESTS_READ)
async def tail_requests(
    request: HttpRequest,
    *,
    q: Search = "",
    key_id: Annotated[str | None, Query(max_length=40)] = None,
    user_id: Annotated[str | None, Query(max_length=40)] = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    surface: Annotated[str | None, Query(max_length=64)] = None,
    persona_id: Annotated[str | None, Query(max_length=128)] = None,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
) -> HttpResponseBase:
    """Events `request`, one for each request or refusal that fits, within about two seconds of its end. Send the last
    event's id as `Last-Event-ID` to take up where a tail broke off, up to an hour later. After 15 minutes the event
    `tail.ended` asks to connect again, and also when the key was narrowed or widened meanwhile. When it may no longer
    watch, the tail ends with `error`."""
    call = call_of(request)
    wanted = RequestFilter(
        key_id=named("key", key_id),
        user_id=named("usr", user_id),
        model=model,
        surface=surface,
        persona_id=persona_id,
        subject_id=subject_id,
    )
    query = language.parse(q)
    moment = _resumed(request.headers.get("Last-Event-ID"))
    if moment is None:
        moment = await in_tenant(call.principal.ref, records.last_written)
    call.read("request.read", "requests", subject_id=subject_id, persona_id=persona_id)
    if _open[call.principal.ref.id] >= MAX_TAILS:
        raise TooManyTails(f"{MAX_TAILS} live tails of this organization are open here; close one.", retry_after=30)
    return sse.response(sse.with_heartbeats(_frames(request, call, query, wanted, moment)))


def _resumed(text: str | None) -> int | None:
    """The moment after which to go on. Raises BadRequest."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        problem = FieldProblem("#/header/Last-Event-ID", "invalid", "must be the id of an event of this tail")
        raise BadRequest(f"Last-Event-ID {problem.message}.", problems=(problem,))
    return int(text)


async def _frames(
    request: HttpRequest, call: Call, query: language.SearchQuery, wanted: RequestFilter, moment: int
) -> AsyncIterator[bytes]:
    org_id = call.principal.ref.id
    loop = asyncio.get_running_loop()
    ends, next_look = loop.time() + TAIL_S, 0.0
    declaration = declared(tail_requests) or Endpoint(Scope.REQUESTS_READ)
    _open[org_id] += 1
    try:
        oldest = clock.micros() - RESUME_US
        yield sse.frame({"query": language.render(query), "gap": 0 < moment < oldest}, event="tail.started")
        moment = max(moment, oldest)
        while loop.time() < ends:
            principal = await standing.require(request, call, declaration)
            if standing.changed(call.principal, principal):
                yield sse.frame({"reason": "access_changed", "reconnect": True}, event="tail.ended")
                return
            if loop.time() >= next_look:
                next_look = loop.time() + LOOK_EVERY_S
                if await newest(principal.ref) > moment:
                    found, moment = await in_tenant(principal.ref, _look, principal, query, wanted, moment)
                    for number, shown in found:
                        yield sse.frame(shown, event="request", number=number)
                    if len(found) == BATCH:
                        next_look = 0.0
                        continue
            await asyncio.sleep(CHECK_EVERY_S)
        yield sse.frame({"reason": "time", "reconnect": True}, event="tail.ended")
    except GatewayError as error:
        yield sse.frame(problems.problem(error, call, instance=request.path), event="error")
    finally:
        _open[org_id] -= 1
        if not _open[org_id]:
            del _open[org_id]
            forget(org_id)


def _look(
    principal: Principal, query: language.SearchQuery, wanted: RequestFilter, moment: int
) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """(what was written since, each with its number; up to when that is all)."""
    found, upto = records.written_after(moment, query, wanted, limit=BATCH, principal=principal)
    entries = ledger.many(principal.ref.id, [record.request_id for record in found])
    shown = []
    for record in found:
        entry = entries.get(record.request_id)
        fields = settled(entry, record) if entry is not None else recorded(record)
        shown.append((record.written_us or upto, RequestOut(**fields).model_dump(mode="json")))
    return shown, upto
