"""``/v1/policies/overlays``: locks and defaults of the organization, its teams, its subjects and their conversations,
in force or in shadow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router

from gateway.core.conditional import expected
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.governance.policies import selectors, services
from gateway.governance.policies.errors import OverlayNotFound
from gateway.governance.policies.schemas import (
    LowerLevel,
    OverlayIn,
    OverlayOut,
    OverlayPage,
    OverlayVersionPage,
    PromoteIn,
)
from gateway.governance.policies.types import Level, Mode, Overlay
from tenants import plans
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["policies"])
FEATURE = "policy_overlays"
Target = Annotated[str, Path(min_length=1, max_length=128)]
ExpectedVersion = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


@router.get("/policies/overlays", response=OverlayPage, summary="List overlays, oldest first")
@endpoint(scope=Scope.POLICIES_READ)
async def list_overlays(
    request: HttpRequest,
    *,
    level: Level | None = None,
    target: Annotated[str | None, Query(max_length=128)] = None,
    mode: Mode = Mode.ENFORCE,
    limit: int | None = None,
    cursor: str | None = None,
) -> OverlayPage:
    """Overlays of every level, those in force or those in shadow. A key of some subjects sees theirs, the teams' and
    the organization's."""
    principal: Principal = call_of(request).principal
    page = await in_tenant(
        principal.ref, selectors.page, mode=mode, level=level, target=_clean(target) if target is not None else None,
        subjects=principal.grant.subject_ids, limit=limit, cursor=cursor,
    )  # fmt: skip
    return OverlayPage.of(page)


@router.get("/policies/versions", response=OverlayVersionPage, summary="What overlays were, newest first")
@endpoint(scope=Scope.POLICIES_READ)
async def list_overlay_versions(
    request: HttpRequest,
    *,
    level: Level | None = None,
    target: Annotated[str | None, Query(max_length=128)] = None,
    mode: Mode = Mode.ENFORCE,
    limit: int | None = None,
    cursor: str | None = None,
) -> OverlayVersionPage:
    """Every version of every overlay of one mode with what it changed and who wrote it; those of deleted ones too."""
    principal: Principal = call_of(request).principal
    page = await in_tenant(
        principal.ref, selectors.versions, mode=mode, level=level,
        target=_clean(target) if target is not None else None, subjects=principal.grant.subject_ids, limit=limit,
        cursor=cursor,
    )  # fmt: skip
    return OverlayVersionPage.of(page)


@router.get("/policies/overlays/organization", response=OverlayOut, summary="The organization's overlay")
@endpoint(scope=Scope.POLICIES_READ)
async def get_organization_overlay(request: HttpRequest, mode: Mode = Mode.ENFORCE) -> OverlayOut:
    """The organization's overlay; an empty one of version 0 when nobody has written it."""
    return OverlayOut.of(await in_tenant(call_of(request).principal.ref, selectors.overlay, mode=mode))


@router.put("/policies/overlays/organization", response=OverlayOut, summary="Replace the organization's overlay")
@endpoint(scope=Scope.POLICIES_WRITE)
async def put_organization_overlay(request: HttpRequest, body: OverlayIn) -> OverlayOut:
    """Replace the organization's overlay. It holds for the very next request; in shadow it shows from that one on what
    it would change. ``If-Match`` is another way to say ``expected_version``."""
    call = call_of(request)
    _may_change(call.principal, Level.ORG, "")
    return OverlayOut.of(await _put(request, body, Level.ORG, ""))


@router.delete("/policies/overlays/organization", response=OverlayOut, summary="Delete the organization's shadow")
@endpoint(scope=Scope.POLICIES_WRITE)
async def delete_organization_shadow(
    request: HttpRequest, mode: Literal[Mode.SHADOW], expected_version: ExpectedVersion = None
) -> OverlayOut:
    """End the organization's overlay in shadow; the one in force can be emptied, not deleted."""
    return OverlayOut.of(await _delete(request, Level.ORG, "", mode, expected_version))


@router.get("/policies/overlays/{level}/{path:target}", response=OverlayOut, summary="One overlay")
@endpoint(scope=Scope.POLICIES_READ)
async def get_overlay(request: HttpRequest, level: LowerLevel, target: Target, mode: Mode = Mode.ENFORCE) -> OverlayOut:
    """The overlay of a team, a subject (`user`) or a conversation (`session`)."""
    principal: Principal = call_of(request).principal
    named = Level(level)
    if principal.grant.subject_ids is not None and named is not Level.TEAM:
        _of_own_subject(principal, named, target)
    found = await in_tenant(principal.ref, selectors.standing, named, _clean(target), mode)
    if found is None:
        raise OverlayNotFound(f"There is no overlay of {level}:{target} in mode {mode.value}.")
    return OverlayOut.of(found)


@router.put("/policies/overlays/{level}/{path:target}", response=OverlayOut, summary="Replace an overlay")
@endpoint(scope=Scope.POLICIES_WRITE)
async def put_overlay(request: HttpRequest, level: LowerLevel, target: Target, body: OverlayIn) -> OverlayOut:
    """Replace the overlay of a team, a subject or a conversation, which need not have one yet. It holds for the very
    next request; in shadow it shows from that one on what it would change. What the organization locks, it cannot
    loosen. ``If-Match`` is another way to say ``expected_version``."""
    call = call_of(request)
    require_plan(call.principal)
    _may_change(call.principal, Level(level), target)
    return OverlayOut.of(await _put(request, body, Level(level), target))


@router.delete("/policies/overlays/{level}/{path:target}", response=OverlayOut, summary="Delete an overlay")
@endpoint(scope=Scope.POLICIES_WRITE)
async def delete_overlay(
    request: HttpRequest,
    level: LowerLevel,
    target: Target,
    mode: Mode = Mode.ENFORCE,
    expected_version: ExpectedVersion = None,
) -> OverlayOut:
    """It holds (or, in shadow, shows) no longer from the next request on; its versions stay readable. The answer is
    the empty overlay."""
    return OverlayOut.of(await _delete(request, Level(level), _clean(target), mode, expected_version))


@router.post("/policies/promote", response=OverlayOut, summary="Put an overlay in shadow in force")
@endpoint(scope=Scope.POLICIES_WRITE)
async def promote_overlay(request: HttpRequest, body: PromoteIn) -> OverlayOut:
    """The overlay in shadow becomes the one in force, in the place of the one that was, and the shadow ends; both at
    once, for the very next request. 409 when either is no longer at the version that was seen."""
    call = call_of(request)
    if body.level is not Level.ORG:
        require_plan(call.principal)
    _may_change(call.principal, body.level, body.target)
    promoted = await in_tenant(
        call.principal.ref, services.promote, level=body.level, target=_clean(body.target),
        expected_version=body.expected_version, expected_in_force=body.expected_in_force,
        actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return OverlayOut.of(promoted)


async def _put(request: HttpRequest, body: OverlayIn, level: Level, target: str) -> Overlay:
    call = call_of(request)
    overlay: Overlay = await in_tenant(
        call.principal.ref, services.put_overlay, level=level, target=target, mode=body.mode,
        locks=body.locks.fields(), defaults=body.defaults.fields(), precedence=body.precedence,
        expected_version=expected(request, body.expected_version), actor=call.principal.actor,
        request_id=call.request_id,
    )  # fmt: skip
    return overlay


async def _delete(request: HttpRequest, level: Level, target: str, mode: Mode, expected_version: int | None) -> Overlay:
    call = call_of(request)
    _may_change(call.principal, level, target)
    overlay: Overlay = await in_tenant(
        call.principal.ref, services.delete_overlay, level=level, target=target, mode=mode,
        expected_version=expected(request, expected_version), actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return overlay


def require_plan(principal: Principal) -> None:
    """Raise Forbidden ``plan_required`` unless the organization's plan, or its operator, gives overlays below the
    organization's own. What is set stays in force on every plan."""
    organization = principal.organization
    included: Any = organization.flags.get(FEATURE, FEATURE in plans.PLANS[organization.plan].features)
    if not included:
        raise Forbidden(
            "Overlays of teams, users and sessions need the business plan or above.",
            code="plan_required", extra={"flag": FEATURE, "plan": "business"},
        )  # fmt: skip


def _may_change(principal: Principal, level: Level, target: str) -> None:
    """A key of some personas or subjects must not change what holds for others."""
    if principal.grant.persona_ids is not None:
        raise Forbidden("This key is for some personas; an overlay holds for all of them.", code="persona_not_allowed")
    if principal.grant.subject_ids is not None:
        _of_own_subject(principal, level, target)


def _of_own_subject(principal: Principal, level: Level, target: str) -> None:
    if level is not Level.USER or not principal.may_use_subject(target):
        raise Forbidden(
            "This key is for some subjects; this overlay holds for others as well.", code="subject_not_allowed"
        )


def _clean(target: str) -> str:
    """What the database can compare: a NUL is in no target."""
    return target.replace("\0", "\ufffd")
