"""`/v1/memories/tidy-reports`: what the nightly tidying did."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.memory import reports
from gateway.surfaces.v1.schemas.memory_changes import TidyReportOut, TidyReportPage
from tenants.context import in_tenant

router = Router(tags=["memories"])


@router.get("/memories/tidy-reports", response=TidyReportPage, summary="What the nightly tidying did, newest first")
@endpoint(scope=Scope.MEMORIES_READ)
async def list_tidy_reports(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> TidyReportPage:
    """Counts alone: what was merged, purged and expired. They name no subject and no memory."""
    page = await in_tenant(call_of(request).principal.ref, reports.page, limit=limit, cursor=cursor)
    return TidyReportPage(data=[TidyReportOut.of(one) for one in page.data], next_cursor=page.next_cursor)
