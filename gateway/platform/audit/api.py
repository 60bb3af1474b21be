"""``GET /audit`` and ``GET /audit/verify``."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.core.wire import Moment
from gateway.platform.audit import selectors
from gateway.platform.audit.schemas import AuditPageOut, VerificationOut
from gateway.platform.audit.types import AuditFilter
from tenants.context import in_tenant

router = Router(tags=["audit"])
_ACTION = r"^[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?$"


@router.get("/audit", response=AuditPageOut, summary="List audit entries, newest first")
@endpoint(scope=Scope.AUDIT_READ, flag="enable_audit_api")
async def list_audit(
    request: HttpRequest,
    *,
    subject_id: Annotated[str | None, Query(max_length=128)] = None,
    persona_id: Annotated[str | None, Query(max_length=128)] = None,
    action: Annotated[
        str | None, Query(max_length=64, pattern=_ACTION, description="write.approved, or write.*")
    ] = None,
    actor: Annotated[str | None, Query(max_length=145, description="key_… or kind:id")] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> AuditPageOut:
    call = call_of(request)
    wanted = AuditFilter(subject_id, persona_id, action, actor, since, until)
    found = await in_tenant(
        call.principal.ref,
        selectors.list_page,
        wanted,
        limit=check_limit(limit),
        after=decode_cursor(cursor),
        principal=call.principal,
    )
    call.read("audit.read", "audit", subject_id=subject_id, persona_id=persona_id)
    return AuditPageOut.of(found)


@router.get("/audit/verify", response=VerificationOut, summary="Recompute the whole hash chain")
@endpoint(scope=Scope.AUDIT_READ, flag="enable_audit_api")
async def verify_audit(request: HttpRequest) -> VerificationOut:
    call = call_of(request)
    found = await in_tenant(call.principal.ref, selectors.verify)
    call.read("audit.verified", "audit")
    return VerificationOut.of(found)
