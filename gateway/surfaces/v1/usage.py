"""`/v1/usage`: what was used and what it cost, in groups, and every row of it as a file."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from ninja import Query, Router

from gateway.core import clock, ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.pagination import check_limit
from gateway.core.wire import Moment
from gateway.platform.billing.statement import safe_cell
from gateway.platform.ledger import exporting, usage
from gateway.platform.ledger.exporting import ExportQuery
from gateway.platform.ledger.usage import Group, Sums, UsageQuery
from gateway.surfaces.v1.schemas.usage import UsageReportOut, group, sums
from tenants.context import in_tenant
from tenants.types import OrgRef, Principal

router = Router(tags=["usage"])
_From = Annotated[Moment | None, Query(alias="from", description="Default: the beginning of this UTC month.")]
_To = Annotated[Moment | None, Query(description="Excluded. Default: now.")]
_Id = Annotated[str | None, Query(max_length=40)]
_Name = Annotated[str | None, Query(max_length=128)]
_HOUR = timedelta(hours=1)
_MOST_GROUPS = 2
_MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


@router.get("/usage", response=UsageReportOut, summary="Usage and cost, in total and in groups", by_alias=True)
@endpoint(scope=Scope.USAGE_READ)
async def get_usage(
    request: HttpRequest,
    *,
    since: _From = None,
    to: _To = None,
    group_by: Annotated[
        str,
        Query(max_length=40, description=f"One or two of {', '.join(usage.GROUPS)}, separated by a comma."),
    ] = "day",
    key_id: _Id = None,
    user_id: _Id = None,
    model: _Name = None,
    provider: _Name = None,
    persona_id: _Name = None,
    subject_id: _Name = None,
    limit: int | None = None,
    cursor: Annotated[str | None, Query(max_length=600)] = None,
) -> JsonResponse:
    """Times count by whole hours. A caller that is narrowed to personas or subjects sees those only. Where subjects
    are asked for or the caller is narrowed to some, days are the finest, and groups are day, model, key, persona and
    subject."""
    principal: Principal = call_of(request).principal
    start, end = _span(since, to)
    filters: dict[str, str | UUID | None] = {
        "key": ids.parse("key", key_id) if key_id else None,
        "user": ids.parse("usr", user_id) if user_id else None,
        "model": model,
        "provider": provider,
        "persona": persona_id,
        "subject": subject_id,
    }
    query = UsageQuery(
        start,
        end,
        _groups(group_by),
        {name: value for name, value in filters.items() if value is not None},
        principal.grant.persona_ids,
        principal.grant.subject_ids,
    )
    size, after = check_limit(limit), _place(cursor)
    whole, found, more = await in_tenant(principal.ref, _read, principal.ref.id, query, size, after)
    return JsonResponse(
        {
            "from": start.isoformat(),
            "to": end.isoformat(),
            "group_by": list(query.group_by),
            "totals": sums(whole),
            "data": [group(one) for one in found],
            "next_cursor": _cursor(found[-1].place) if more else None,
        }
    )


@router.get(
    "/usage/export",
    summary="Every row of the ledger, as a file",
    openapi_extra={
        "responses": {200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()}}}
    },
)
@endpoint(scope=Scope.USAGE_READ)
async def export_usage(
    request: HttpRequest,
    *,
    since: _From = None,
    to: _To = None,
    file_format: Annotated[Literal["csv", "ndjson"], Query(alias="format")] = "csv",
) -> StreamingHttpResponse:
    """One row per attempt, per correction and per request with memory operations, in the order of the requests; amounts
    are micro-dollars. Streamed: a file that broke off ends without its last chunk."""
    call = call_of(request)
    principal: Principal = call.principal
    start, end = _span(since, to)
    query = ExportQuery(start, end, principal.grant.persona_ids, principal.grant.subject_ids)
    # The first rows before the 200: a database that is away is an error, not an empty file.
    first = await in_tenant(principal.ref, exporting.batch, principal.ref.id, query)
    call.read("usage.exported", "usage")
    answer = StreamingHttpResponse(
        _file(principal.ref, query, first, file_format), content_type=f"{_MEDIA[file_format]}; charset=utf-8"
    )
    name = f"usage-{principal.organization.slug}-{start:%Y%m%d}-{end:%Y%m%d}.{file_format}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


async def _file(
    ref: OrgRef, query: ExportQuery, first: tuple[list[dict[str, Any]], exporting.Place | None], file_format: str
) -> AsyncIterator[bytes]:
    """The file, a batch at a time; between two of them no connection is held."""
    rows, place = first
    if file_format == "csv":
        yield _csv([exporting.COLUMNS])
    while True:
        if file_format == "csv":
            yield _csv(["" if value is None else safe_cell(value) for value in row.values()] for row in rows)
        else:
            yield b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        if place is None:
            return
        rows, place = await in_tenant(ref, exporting.batch, ref.id, query, place)


def _csv(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _read(org_id: UUID, query: UsageQuery, limit: int, after: Sequence[str] | None) -> tuple[Sums, list[Group], bool]:
    found, more = usage.groups(org_id, query, limit=limit, after=after)
    return usage.totals(org_id, query), found, more


def _span(since: datetime | None, to: datetime | None) -> tuple[datetime, datetime]:
    """Whole hours. Raises BadRequest when it ends before it begins."""
    now = clock.now()
    start = since or datetime.combine(now.date().replace(day=1), time(), UTC)
    end = to or now
    start = start.replace(minute=0, second=0, microsecond=0)
    whole = end.replace(minute=0, second=0, microsecond=0)
    end = whole if whole == end else whole + _HOUR
    if end <= start:
        problem = FieldProblem("#/query/to", "invalid_range", "must be after from")
        raise BadRequest("The time asked for ends before it begins.", code="invalid_range", problems=(problem,))
    return start, end


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not 1 <= len(names) <= _MOST_GROUPS or len(set(names)) < len(names) or not set(names) <= set(usage.GROUPS):
        problem = FieldProblem("#/query/group_by", "invalid_group", f"one or two of {', '.join(usage.GROUPS)}")
        raise BadRequest(f"group_by: {problem.message}.", code="invalid_group", problems=(problem,))
    return names


def _cursor(place: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(cursor: str | None) -> list[str] | None:
    if not cursor:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place, list) or not all(isinstance(value, str) and "\0" not in value for value in place):
            raise ValueError("no list returned this")
        return place
    except (ValueError, binascii.Error, RecursionError):
        problem = FieldProblem("#/query/cursor", "invalid_cursor", "not a cursor that this list returned")
        raise BadRequest("The cursor is not one that this list returned.", problems=(problem,)) from None
