"""``GET /v1/requests/{id}/stream``: take up a stream of ``POST /v1/chat`` where it broke off."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Query, Router

from gateway.core import ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.errors import Forbidden, NotFound
from gateway.governance.access import rules as access
from gateway.platform.frames import reader
from gateway.platform.frames.errors import StreamExpired
from gateway.platform.frames.types import Head
from gateway.platform.ledger import selectors as ledger
from gateway.surfaces import streams
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["requests"])
_LAST = 2**53 - 1
_SSE = {"text/event-stream": {"schema": {"type": "string"}}}
_STREAM = {
    "responses": {
        200: {"description": "The frames, then those to come.", "content": _SSE},
        204: {"description": "The stream is over, and the caller has seen all of it."},
    }
}


@router.get("/requests/{request_id}/stream", summary="Take up a stream where it broke off", openapi_extra=_STREAM)
@endpoint(scope=None)
async def take_up(
    request: HttpRequest,
    request_id: str,
    after: Annotated[int | None, Query(ge=0, le=_LAST)] = None,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=_LAST)] = None,
) -> HttpResponseBase:
    """The frames of a `POST /v1/chat` stream after the one that `Last-Event-ID` (or `after`) names, then what comes, to
    its end. Frames are kept until five minutes after the end. 204 when there is nothing more to come."""
    call, wanted = call_of(request), ids.parse("req", request_id)
    seen = (last_event_id or 0) if after is None else after
    org_id = call.principal.ref.id
    head = await reader.head(org_id, wanted)
    if head is None:
        raise await _missing(call, wanted)
    _check_allowed(call.principal, head)
    end = await reader.ended(org_id, wanted)
    if end is not None and seen >= end:
        return HttpResponse(status=204)
    return await streams.attached(call, wanted, path=request.path, after=seen)


def _check_allowed(principal: Principal, head: Head) -> None:
    """A caller sees its own streams; others' only with the right to see requests, of what it covers."""
    grant = principal.grant
    if head.caller == f"{grant.kind}:{grant.id}":
        access.require_scope(principal, Scope.CHAT)
        return
    access.require_scope(principal, Scope.REQUESTS_READ)
    if grant.subject_ids is not None and head.subject_id not in grant.subject_ids:
        raise Forbidden("This key may not see the request's subject.", code="subject_not_allowed")
    if grant.persona_ids is not None and head.persona_id not in grant.persona_ids:
        raise Forbidden("This key may not see the request's persona.", code="persona_not_allowed")


async def _missing(call: Call, request_id: UUID) -> NotFound | StreamExpired:
    """Why nothing is kept. That a request exists is told only to whom it could be shown."""
    principal: Principal = call.principal
    found = await in_tenant(principal.ref, ledger.entry, principal.ref.id, request_id)
    if found is None:
        return NotFound("There is no such stream.", code="request_not_found")
    own = found.key_id is not None and found.key_id == principal.key_id
    if not own and not (_is_wide(principal) and access.by_scope(principal, Scope.REQUESTS_READ).allowed):
        return NotFound("There is no such stream.", code="request_not_found")
    return StreamExpired("Frames are kept until five minutes after a stream's end; of this request there are none.")


def _is_wide(principal: Principal) -> bool:
    return principal.grant.persona_ids is None and principal.grant.subject_ids is None
