"""``/v1/requests``: what each request was, cost and decided. Joins the ledger's facts with the decision records.

A request shows from the moment it opens: what the ledger does not have yet is held by admission.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden, NotFound
from gateway.core.pagination import check_limit, decode_cursor, encode_cursor
from gateway.core.wire import Moment
from gateway.platform.admission import gate
from gateway.platform.ledger import selectors as ledger
from gateway.platform.ledger.types import EntryFilter, LedgerEntry
from gateway.platform.requests import selectors as records
from gateway.platform.requests.types import RequestFilter, RequestRecord
from gateway.surfaces.v1.schemas.requests import (
    RequestDetailOut,
    RequestOut,
    RequestPageOut,
    on_its_way,
    settled,
)
from tenants.context import in_tenant
from tenants.types import OrgRef, Principal

router = Router(tags=["requests"])


@router.get("/requests", response=RequestPageOut, summary="List requests, newest first")
@endpoint(scope=Scope.REQUESTS_READ)
async def list_requests(
    request: HttpRequest,
    *,
    key_id: Annotated[str | None, Query(max_length=40)] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    state: Literal["settled", "estimated"] | None = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    surface: Annotated[str | None, Query(max_length=64)] = None,
    persona_id: Annotated[str | None, Query(max_length=128)] = None,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> RequestPageOut:
    call = call_of(request)
    wanted = EntryFilter(
        key_id=ids.parse("key", key_id) if key_id else None,
        status=status,
        state=state,
        model=model,
        surface=surface,
        persona_id=persona_id,
        subject_id=subject_id,
        since=since,
        until=until,
    )
    size, after = check_limit(limit), decode_cursor(cursor)
    found, following = await in_tenant(call.principal.ref, _page, call.principal, wanted, size, after)
    call.read("request.read", "requests", subject_id=subject_id, persona_id=persona_id)
    return RequestPageOut(
        data=[RequestOut(**settled(entry, record)) for entry, record in found],
        next_cursor=encode_cursor(following) if following else None,
    )


@router.get("/requests/{request_id}", response=RequestDetailOut, summary="One request with its decision record")
@endpoint(scope=Scope.REQUESTS_READ)
async def get_request(request: HttpRequest, request_id: str) -> RequestDetailOut:
    call = call_of(request)
    fields = await _find(call.principal.ref, ids.parse("req", request_id))
    if fields is None:
        raise NotFound("There is no such request.", code="request_not_found")
    shown = RequestDetailOut(**fields)
    _check_allowed(call.principal, shown)
    call.read("request.read", request_id, subject_id=shown.subject_id, persona_id=shown.persona_id)
    return shown


async def _find(ref: OrgRef, request_id: UUID) -> dict[str, Any] | None:
    """From the ledger, else from admission, else from the ledger once more: it may have moved in between."""
    fields = await in_tenant(ref, _settled, ref, request_id)
    if fields is None:
        found = await gate.lookup(ref.id, request_id)
        fields = on_its_way(found) if found else await in_tenant(ref, _settled, ref, request_id)
    return fields


def _settled(ref: OrgRef, request_id: UUID) -> dict[str, Any] | None:
    entry = ledger.entry(ref.id, request_id)
    return settled(entry, records.get(request_id)) if entry else None


_Joined = list[tuple[LedgerEntry, RequestRecord | None]]


def _page(principal: Principal, wanted: EntryFilter, limit: int, after: UUID | None) -> tuple[_Joined, UUID | None]:
    key = principal.grant
    if key.subject_ids is not None or key.persona_ids is not None:
        return _scoped_page(principal, wanted, limit, after)
    page = ledger.entries(principal.ref.id, wanted, after, limit=limit)
    by_id = records.many(entry.request_id for entry in page.entries)
    return [(entry, by_id.get(entry.request_id)) for entry in page.entries], page.next_cursor


def _scoped_page(
    principal: Principal, wanted: EntryFilter, limit: int, after: UUID | None
) -> tuple[_Joined, UUID | None]:
    """A scoped key's page is chosen among the records, which know who was meant; the ledger adds the figures."""
    shown = RequestFilter(
        key_id=ids.public("key", wanted.key_id) if wanted.key_id else None,
        status=wanted.status,
        state=wanted.state,
        surface=wanted.surface,
        model=wanted.model,
        persona_id=wanted.persona_id,
        subject_id=wanted.subject_id,
        since=wanted.since,
        until=wanted.until,
    )
    page = records.list_page(shown, limit=limit, after=after, principal=principal)
    joined = [(ledger.entry(principal.ref.id, record.request_id), record) for record in page.data]
    found: _Joined = [(entry, record) for entry, record in joined if entry is not None]
    return found, page.data[-1].request_id if page.next_cursor else None


def _check_allowed(principal: Principal, shown: RequestDetailOut) -> None:
    """A key sees its own requests, and others' of the personas and subjects it covers."""
    key = principal.grant
    if shown.key_id == key.public_id:
        return
    if key.subject_ids is not None and shown.subject_id not in key.subject_ids:
        raise Forbidden("This key may not see the request's subject.", code="subject_not_allowed")
    if key.persona_ids is not None and shown.persona_id not in key.persona_ids:
        raise Forbidden("This key may not see the request's persona.", code="persona_not_allowed")
