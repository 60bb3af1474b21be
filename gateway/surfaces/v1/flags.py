"""``/v1/flags``: every feature flag with what it is here and why, and the organization's own choices. Chosen by people
only: a key must never decide what it may do."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core.conditional import if_match
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from gateway.platform.flags import catalogue, services
from gateway.surfaces.v1.schemas.flags import FlagHistoryEntryOut, FlagHistoryOut, FlagIn, FlagOut, FlagsOut
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.flags import CHANGED
from tenants.types import Organization

router = Router(tags=["flags"])
_Reason = Annotated[str, Query(min_length=1, max_length=500, pattern=r"\S", description="Kept in the audit log.")]


@router.get("/flags", response=FlagsOut, summary="Every feature flag, its value here and why")
@endpoint(scope=None)
async def list_flags(request: HttpRequest) -> FlagsOut:
    call = call_of(request)
    return FlagsOut(data=[_shown(call, call.principal.organization, key) for key in catalogue.FLAGS])


@router.get("/flags/{flag}", response=FlagOut, summary="One feature flag")
@endpoint(scope=None)
async def get_flag(request: HttpRequest, flag: str) -> FlagOut:
    call = call_of(request)
    return _shown(call, call.principal.organization, services.known(flag).key)


@router.put("/flags/{flag}", response=FlagOut, summary="Choose a feature flag's value")
@endpoint(scope=Scope.FLAGS_WRITE)
async def put_flag(request: HttpRequest, flag: str, body: FlagIn) -> FlagOut:
    """It holds for the very next request here, and within a second everywhere. What the plan does not include cannot be
    turned on; ``If-Match`` with the flag's ``version`` makes the change conditional (409 when somebody came first)."""
    return await _choose(request, flag, body.value, body.reason)


@router.delete("/flags/{flag}", response=FlagOut, summary="Take the choice back")
@endpoint(scope=Scope.FLAGS_WRITE)
async def delete_flag(request: HttpRequest, flag: str, reason: _Reason) -> FlagOut:
    """The flag is again what operator, plan and code say."""
    return await _choose(request, flag, None, reason)


@router.get("/flags/{flag}/history", response=FlagHistoryOut, summary="A feature flag's changes, newest first")
@endpoint(scope=Scope.FLAGS_WRITE)
async def history(
    request: HttpRequest, flag: str, limit: int | None = None, cursor: str | None = None
) -> FlagHistoryOut:
    """From the audit log: who, when, why, and what it was before. The operator's overrides are among them."""
    call = call_of(request)
    wanted = AuditFilter(action=CHANGED, target=services.known(flag).key)
    found = await in_tenant(
        call.principal.ref, audit.list_page, wanted, limit=check_limit(limit), after=decode_cursor(cursor)
    )
    call.read("audit.read", "audit")
    return FlagHistoryOut(data=[FlagHistoryEntryOut.of(one) for one in found.data], next_cursor=found.next_cursor)


async def _choose(request: HttpRequest, key: str, value: bool | int | None, reason: str) -> FlagOut:
    call = call_of(request)
    principal = call.principal
    changed = await in_tenant(
        principal.ref,
        services.choose,
        principal.organization,
        key,
        value,
        reason=reason,
        actor=principal.actor,
        request_id=call.request_id,
        expected_version=if_match(request),
    )
    await directory.load()
    return _shown(call, changed, key)


def _shown(call: Call, organization: Organization, key: str) -> FlagOut:
    scopes = call.principal.grant.scopes
    with_change = call.principal.seat is not None and scopes is not None and Scope.FLAGS_WRITE.value in scopes
    return FlagOut.of(organization, catalogue.FLAGS[key], with_change=with_change)
