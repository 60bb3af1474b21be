"""`/v1/keys/self`, `…/preview`, `…/old-secret-uses`, `…/revocation`: what a key is, could do, and who obeys it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from gateway.core import clock, ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.knowledge.personas import selectors as personas
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.platform.providers import registry
from gateway.surfaces import operations, reach
from gateway.surfaces.v1.schemas.key_checks import (
    CallableLimitsOut,
    CallableModelOut,
    CallableOut,
    CallablePersonaOut,
    KeyPreviewOut,
    SelfHereOut,
    SelfLimitsOut,
    SelfOut,
)
from gateway.surfaces.v1.schemas.keys import (
    KeyIn,
    KeyRateOut,
    OldSecretCallerOut,
    OldSecretUsesOut,
    RevocationOut,
    WorkerOut,
    plain,
)
from tenants import keys, keyuse, obedience, plans, restrictions, selectors
from tenants.accounts.address import client_address
from tenants.context import in_tenant
from tenants.people.roles import KEY_SCOPES
from tenants.types import ApiKey, Principal

router = Router(tags=["keys"])
_NEVER = UUID(int=0)
_PAGE = 200
_PATIENCE_S = 1.0  # for a provider's list of models that was never fetched here


@router.get("/keys/self", response=SelfOut, summary="What is this key, and does it work from here?")
@endpoint(scope=None)
async def test_key(request: HttpRequest) -> SelfOut:
    """Any key or capability token, whatever its scopes. One that does not work is told exactly why, as everywhere."""
    call = call_of(request)
    principal: Principal = call.principal
    key, token = principal.key, principal.token
    if key is None:
        raise Forbidden("This is for keys and their tokens; people have /v1/me.", code="key_required")
    grant = principal.grant
    origins = key.origins if token is None else token.origins
    return SelfOut(
        kind=grant.kind,  # type: ignore[arg-type]  # a key is there, so it is no person
        id=grant.public_id,
        key_id=key.public_id,
        organization=principal.organization.slug,
        # What an organization calls its keys is not for whoever holds a token.
        name=key.name if token is None else None,
        mode=key.mode,  # type: ignore[arg-type]
        state=key.state_at(clock.now()),  # type: ignore[arg-type]
        secret="old" if principal.by_old_secret else "current",
        old_secret_valid_until=key.previous_valid_until,
        scopes=list(KEY_SCOPES if grant.scopes is None else grant.scopes),
        persona_ids=_listed(grant.persona_ids),
        subject_ids=_listed(grant.subject_ids),
        memory_scopes=_listed(grant.memory_scopes),
        models=_listed(grant.models),
        origins=_listed(origins),
        ip_ranges=_listed(key.ip_ranges),
        rate=plain(key.rate),  # type: ignore[arg-type]
        budget=plain(key.budget),  # type: ignore[arg-type]
        budget_micros=token.budget_micros if token is not None else None,
        on_disconnect=key.on_disconnect,
        cache_s=key.cache_s,
        team_ids=list(grant.team_ids),
        expires_at=key.expires_at if token is None else token.expires_at,
        here=SelfHereOut(
            address=client_address(request),
            address_allowed=True,
            origin=reach.asked_from(request),
            origin_allowed=True,
        ),
        limits=_left(call),
    )


@router.post("/keys/preview", response=KeyPreviewOut, summary="What could a key with these limits call?")
@endpoint(scope=Scope.KEYS_READ, reads=True)
async def preview_new_key(request: HttpRequest, body: KeyIn) -> KeyPreviewOut:
    """Nothing is made. The body is that of `POST /v1/keys`."""
    principal: Principal = call_of(request).principal
    limits = restrictions.all_uniform(body.limits())
    keys.check(limits)
    return await _preview(principal, _unsaved(principal, body, limits))


@router.post("/keys/{key_id}/preview", response=KeyPreviewOut, summary="What could this key call?")
@endpoint(scope=Scope.KEYS_READ, reads=True)
async def preview_key(request: HttpRequest, key_id: str) -> KeyPreviewOut:
    """As it is now: each operation with the reason it would be refused, and the personas and models it may use."""
    principal: Principal = call_of(request).principal
    ref = principal.ref
    return await _preview(principal, await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id)))


@router.get("/keys/{key_id}/old-secret-uses", response=OldSecretUsesOut, summary="Who still uses the old secret")
@endpoint(scope=Scope.KEYS_READ)
async def old_secret_uses(request: HttpRequest, key_id: str) -> OldSecretUsesOut:
    """Since the last rotation, for whoever must know when the old secret can end."""
    ref = call_of(request).principal.ref
    key = await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id))
    (use,) = await keyuse.read(gate.store(), [key])
    return OldSecretUsesOut(
        old_secret_valid_until=key.previous_valid_until,
        last_used_at=use.old_last_used_at,
        calls_24h=use.old_calls_24h or 0,
        callers=[
            OldSecretCallerOut(
                network=one.network, user_agent=one.user_agent, calls=one.calls, last_used_at=one.last_seen_at
            )
            for one in use.callers
        ],
    )


@router.get("/keys/{key_id}/revocation", response=RevocationOut, summary="Does every web process obey?")
@endpoint(scope=Scope.KEYS_READ)
async def show_revocation(request: HttpRequest, key_id: str) -> RevocationOut:
    """Worker by worker: since when the key's revocation is obeyed, or its last change while it is not revoked. One that
    is not heard of counts as not obeying until a minute has passed; it refuses all calls long before."""
    ref = call_of(request).principal.ref
    key = await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id))
    # A key that a backup brought back has a version of here, and that of its revocation from there.
    version = min(key.revoked_version or key.version, key.version)
    found = await obedience.of_version(gate.store(), version)
    return RevocationOut(
        revoked_at=key.revoked_at,
        version=version,
        obeyed_by_all=bool(found) and all(one.obeys for one in found),
        workers=[
            WorkerOut(id=one.worker, obeys=one.obeys, obeyed_at=one.obeyed_at, ms=_took(key, one), seen_at=one.seen_at)
            for one in found
        ],
    )


def _took(key: ApiKey, one: obedience.Obeyed) -> int | None:
    if key.revoked_at is None or one.obeyed_at is None or one.from_start:
        return None
    return max(0, round((one.obeyed_at - key.revoked_at).total_seconds() * 1000))


async def _preview(principal: Principal, key: ApiKey) -> KeyPreviewOut:
    organization = principal.organization
    asked = Principal(organization, key)
    shown = []
    for one in operations.every():
        refused = operations.refusal(asked, one.endpoint)
        told = {"code": refused.code, "why": refused.detail} if refused is not None else {"code": None, "why": None}
        shown.append(
            CallableOut(method=one.method, path=one.path, summary=one.summary, allowed=refused is None, **told)
        )
    limits = plans.limits(organization)
    page = await in_tenant(principal.ref, personas.page, limit=_PAGE, only=principal.grant.persona_ids)
    return KeyPreviewOut(
        operations=shown,
        personas=[CallablePersonaOut(id=one.id, allowed=asked.may_use_persona(one.id)) for one in page.data],
        models=await _models(asked),
        subject_ids=_listed(key.subject_ids),
        memory_scopes=_listed(key.memory_scopes),
        origins=_listed(key.origins),
        ip_ranges=_listed(key.ip_ranges),
        limits=CallableLimitsOut(
            rate=plain(key.rate),  # type: ignore[arg-type]
            budget=plain(key.budget),  # type: ignore[arg-type]
            expires_at=key.expires_at,
            organization_rate=KeyRateOut(limit=limits.rate, window_s=limits.rate_window_s),
            organization_calls_per_month=catalogue.monthly_calls(organization),
        ),
    )


async def _models(asked: Principal) -> list[CallableModelOut]:
    listed = await registry.available(asked.organization, patience_s=_PATIENCE_S)
    shown = [
        CallableModelOut(
            id=one.id,
            allowed=asked.may_use_model(one.alias_of or one.id, one.id if one.alias_of else None),
            listed=True,
        )
        for one in listed
    ]
    known = {one.id for one in listed} | {f"{one.provider}/*" for one in listed}
    unlisted = [name for name in asked.grant.models or () if name not in known]
    return shown + [CallableModelOut(id=name, allowed=True, listed=False) for name in unlisted]


def _unsaved(principal: Principal, body: KeyIn, limits: dict[str, Any]) -> ApiKey:
    """The key that this body would make."""
    listed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in limits.items()
    }
    listed["team_ids"] = listed["team_ids"] or ()
    return ApiKey(
        id=_NEVER, org_id=principal.ref.id, public="", name=body.name, mode=body.mode, revoked_at=None,
        rotated_at=None, previous_valid_until=None, last_used_at=None, created_at=datetime.now(UTC), created_by="",
        version=0, secret_sha256=b"", **listed,
    )  # fmt: skip


def _left(call: Call) -> SelfLimitsOut | None:
    """What the answer's headers say."""
    names = ("Limit", "Remaining", "Reset")
    found = [call.headers.get(f"RateLimit-{name}") for name in names]
    if any(value is None or not value.isdigit() for value in found):
        return None
    limit, remaining, reset_s = (int(value or 0) for value in found)
    return SelfLimitsOut(limit=limit, remaining=remaining, reset_s=reset_s)


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
