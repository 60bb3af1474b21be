"""``GET /events``."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.platform.events import selectors
from gateway.platform.events.schemas import EventPageOut
from tenants.context import in_tenant

router = Router(tags=["events"])


@router.get("/events", response=EventPageOut, summary="List events, newest first")
@endpoint(scope=Scope.AUDIT_READ)
async def list_events(
    request: HttpRequest,
    *,
    type_: Annotated[str | None, Query(max_length=64, alias="type", description="Such as write.executed")] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> EventPageOut:
    call = call_of(request)
    found = await in_tenant(
        call.principal.ref,
        selectors.list_page,
        limit=check_limit(limit),
        after=decode_cursor(cursor),
        name=type_,
        principal=call.principal,
    )
    call.read("event.read", "events")
    return EventPageOut.of(found)
