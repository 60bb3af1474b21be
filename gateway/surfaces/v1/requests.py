"""``/v1/requests``: what each request was, cost and decided. Joins the decision records with the ledger's figures.

A request shows by its id from the moment it opens: what the ledger does not have yet is held by admission.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden, NotFound
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.wire import Moment
from gateway.platform.admission import gate
from gateway.platform.ledger import selectors as ledger
from gateway.platform.requests import query as language
from gateway.platform.requests import selectors as records
from gateway.platform.requests.query.rendering import grammar
from gateway.platform.requests.types import Facet, RequestFilter
from gateway.surfaces.v1.schemas.requests import (
    FacetOut,
    FacetValueOut,
    RequestDetailOut,
    RequestFacetsOut,
    RequestOut,
    RequestPageOut,
    on_its_way,
    recorded,
    refusing_line,
    settled,
)
from tenants.context import in_tenant
from tenants.types import OrgRef, Principal

router = Router(tags=["requests"])
Search = Annotated[str, Query(max_length=language.MAX_LENGTH, description="The search language of requests.")]


@router.get("/requests", response=RequestPageOut, summary="Search requests, newest first")
@endpoint(scope=Scope.REQUESTS_READ)
async def list_requests(
    request: HttpRequest,
    *,
    q: Search = "",
    key_id: Annotated[str | None, Query(max_length=40)] = None,
    user_id: Annotated[str | None, Query(max_length=40)] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    state: Literal["settled", "estimated", "refused"] | None = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    surface: Annotated[str | None, Query(max_length=64)] = None,
    persona_id: Annotated[str | None, Query(max_length=128)] = None,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> RequestPageOut:
    """`q` searches: `status:>=400 model:openai/* latency:>2s cost:>0.01 -code:rate_limited since:24h`. The other
    parameters narrow further. Refusals are among the results; `kind:request` leaves them out."""
    call = call_of(request)
    wanted = RequestFilter(
        key_id=named("key", key_id),
        user_id=named("usr", user_id),
        status=status,
        state=state,
        model=model,
        surface=surface,
        persona_id=persona_id,
        subject_id=subject_id,
        since=since,
        until=until,
    )
    query, size, after = language.parse(q), check_limit(limit), decode_cursor(cursor)
    found = await in_tenant(call.principal.ref, _page, call.principal, query, wanted, size, after)
    call.read("request.read", "requests", subject_id=subject_id, persona_id=persona_id)
    return RequestPageOut(data=[RequestOut(**fields) for fields in found.data], next_cursor=found.next_cursor)


@router.get("/requests/facets", response=RequestFacetsOut, summary="What requests can be searched for")
@endpoint(scope=Scope.REQUESTS_READ)
async def facets_requests(request: HttpRequest) -> RequestFacetsOut:
    """Every field of the search language with examples and, of the newest 5,000 requests, the most frequent values."""
    principal: Principal = call_of(request).principal
    found, looked_at = await in_tenant(principal.ref, records.facets, principal)
    counted: dict[str, Facet] = {facet.field: facet for facet in found}
    return RequestFacetsOut(
        fields=[
            FacetOut(
                field=name,
                examples=examples,
                values=[
                    FacetValueOut(value=value, count=count)
                    for value, count in (counted[name].values if name in counted else ())
                ],
            )
            for name, examples in grammar().items()
        ],
        looked_at=looked_at,
    )


@router.get("/requests/{request_id}", response=RequestDetailOut, summary="One request with its decision record")
@endpoint(scope=Scope.REQUESTS_READ)
async def get_request(request: HttpRequest, request_id: str) -> RequestDetailOut:
    call = call_of(request)
    shown = await visible_request(call.principal, ids.parse("req", request_id))
    call.read("request.read", request_id, subject_id=shown.subject_id, persona_id=shown.persona_id)
    return shown


async def visible_request(principal: Principal, request_id: UUID) -> RequestDetailOut:
    """One request that this caller may see. Raises NotFound, Forbidden."""
    fields = await _find(principal.ref, request_id)
    if fields is None:
        raise NotFound("There is no such request.", code="request_not_found")
    kept = await in_tenant(principal.ref, records.parts, request_id)
    shown = RequestDetailOut(**fields, decision=refusing_line(fields["decisions"]), bodies=list(kept))
    _check_allowed(principal, shown)
    return shown


def named(prefix: str, public_id: str | None) -> str | None:
    """A filter by public id, checked: an id of something else finds nothing, which looks like there being nothing.
    Raises NotFound."""
    return ids.public(prefix, ids.parse(prefix, public_id)) if public_id else None


async def _find(ref: OrgRef, request_id: UUID) -> dict[str, Any] | None:
    """From the tables, else from admission, else from the tables once more: it may have moved in between."""
    fields = await in_tenant(ref, _written, ref, request_id)
    if fields is None:
        found = await gate.lookup(ref.id, request_id)
        fields = on_its_way(found) if found else await in_tenant(ref, _written, ref, request_id)
    return fields


def _written(ref: OrgRef, request_id: UUID) -> dict[str, Any] | None:
    entry, record = ledger.entry(ref.id, request_id), records.get(request_id)
    if entry is not None:
        return settled(entry, record)
    return recorded(record) if record is not None else None


def _page(
    principal: Principal, query: language.SearchQuery, wanted: RequestFilter, limit: int, after: UUID | None
) -> Page[dict[str, Any]]:
    """The records say which; the ledger adds the figures of those that it has."""
    page = records.search(query, wanted, limit=limit, after=after, principal=principal)
    entries = ledger.many(principal.ref.id, [record.request_id for record in page.data])
    shown = [
        settled(entry, record) if (entry := entries.get(record.request_id)) else recorded(record)
        for record in page.data
    ]
    return Page(shown, page.next_cursor)


def _check_allowed(principal: Principal, shown: RequestDetailOut) -> None:
    """A key sees its own requests, and others' of the personas and subjects it covers."""
    key = principal.grant
    if shown.key_id == key.public_id:
        return
    if key.subject_ids is not None and shown.subject_id not in key.subject_ids:
        raise Forbidden("This key may not see the request's subject.", code="subject_not_allowed")
    if key.persona_ids is not None and shown.persona_id not in key.persona_ids:
        raise Forbidden("This key may not see the request's persona.", code="persona_not_allowed")
