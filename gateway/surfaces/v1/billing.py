"""`/v1/billing`: plans, the running month, statements, and changing the plan."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.platform.billing import months, selectors, services, statement
from gateway.surfaces.v1.plan_preview import breaks
from gateway.surfaces.v1.schemas.billing import (
    BillingOut,
    BillingPlanOut,
    BillingPlansOut,
    PlanBreakOut,
    PlanChangeIn,
    PlanChangeOut,
    StatementOut,
)
from tenants import plans
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import Principal

router = Router(tags=["billing"])


@router.get("/billing/plans", response=BillingPlansOut, summary="The plans and what each includes")
@endpoint(scope=Scope.USAGE_READ)
async def list_plans(request: HttpRequest) -> BillingPlansOut:
    return BillingPlansOut(data=[BillingPlanOut.of(plan) for plan in plans.PLANS.values()])


@router.get("/billing", response=BillingOut, summary="The running month: included, used, projected")
@endpoint(scope=Scope.USAGE_READ)
async def get_overview(request: HttpRequest) -> BillingOut:
    principal = whole_organization(call_of(request).principal)
    return BillingOut.of(await in_tenant(principal.ref, selectors.overview, principal.organization))


@router.get(
    "/billing/statement",
    response=StatementOut,
    summary="A month's statement",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
@endpoint(scope=Scope.USAGE_READ)
async def get_statement(
    request: HttpRequest,
    *,
    month: Annotated[str | None, Query(max_length=7, description="`YYYY-MM`; default: this UTC month.")] = None,
    file_format: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> HttpResponse:
    """Adds up to the micro-dollar: the usage lines are the month's ledger rows. Cents are rounded once, at the
    total."""
    principal = whole_organization(call_of(request).principal)
    found = await in_tenant(principal.ref, selectors.statement, principal.organization, months.parse(month))
    if file_format == "json":
        return JsonResponse(StatementOut.of(found).model_dump(mode="json"))
    answer = HttpResponse(statement.as_csv(found), content_type="text/csv; charset=utf-8")
    name = f"statement-{principal.organization.slug}-{found.month}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@router.post("/billing/plan", response=PlanChangeOut, summary="Go to another plan, or see what that would change")
@endpoint(scope=Scope.BILLING_WRITE)
async def change_plan(request: HttpRequest, body: PlanChangeIn) -> PlanChangeOut:
    """Owners only. A smaller plan holds at once and deletes nothing: what it no longer covers is listed in `breaks`,
    stays as it is, and stops growing."""
    call = call_of(request)
    principal: Principal = call.principal
    before, after = plans.get(principal.organization.plan), plans.get(body.plan)
    found = await in_tenant(principal.ref, breaks, principal.organization, after)
    changed = False
    if not body.preview:
        now = await in_tenant(
            principal.ref,
            services.change_plan,
            principal.ref,
            body.plan,
            actor=principal.actor,
            request_id=call.request_id,
        )
        changed = now.version != principal.organization.version and now.plan != before.name
        await directory.load()
    return PlanChangeOut(
        before=BillingPlanOut.of(before),
        after=BillingPlanOut.of(after),
        preview=body.preview,
        changed=changed,
        breaks=[PlanBreakOut(what=one.what, have=one.have, included=one.included, detail=one.detail) for one in found],
    )


def whole_organization(principal: Principal) -> Principal:
    """The caller, unless it is narrowed to personas or subjects: what is owed is the whole organization's affair."""
    if principal.grant.persona_ids is not None or principal.grant.subject_ids is not None:
        raise Forbidden(
            "This key is narrowed to personas or subjects; money matters are the whole organization's.",
            code="whole_organization_only",
        )
    return principal
