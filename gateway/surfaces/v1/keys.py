"""`/v1/keys`: an organization's API keys. A secret is in the answer of create and rotate, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids, pagination
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.governance.access import rules as access
from gateway.governance.access import teams
from gateway.governance.access.types import Resource
from gateway.platform.admission import gate
from gateway.surfaces.v1.schemas.keys import (
    ExtendIn,
    KeyChange,
    KeyIn,
    KeyOut,
    KeysOut,
    KeyState,
    NewKeyOut,
    RotateIn,
    fields,
)
from tenants import keys, keyuse, restrictions, selectors, tokenends
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.people import roles
from tenants.types import ApiKey, Principal

router = Router(tags=["keys"])
_NARROWING = (*restrictions.NAMES, "expires_at")


@router.post("/keys", response={201: NewKeyOut}, summary="Create a key; its secret is shown once")
@endpoint(scope=Scope.KEYS_WRITE)
async def create_key(request: HttpRequest, body: KeyIn) -> tuple[int, NewKeyOut]:
    """A new key. A key can only make keys that may do no more than itself."""
    call = call_of(request)
    principal: Principal = call.principal
    limits = restrictions.all_uniform(body.limits())
    narrower(principal, {name: limits[name] for name in _NARROWING})
    same_teams(principal, limits["team_ids"])
    owner = principal.key.owner_user_id if principal.key is not None else principal.user_id
    made = await in_tenant(
        principal.ref, _create, name=body.name, mode=body.mode, actor=principal.actor, owner_user_id=owner,
        request_id=call.request_id, **limits,
    )  # fmt: skip
    return 201, NewKeyOut(**fields(made.key, keyuse.Use(calls_24h=0)), secret=made.secret)


@router.get("/keys", response=KeysOut, summary="List keys, newest first")
@endpoint(scope=Scope.KEYS_READ)
async def list_keys(
    request: HttpRequest,
    *,
    state: KeyState | None = None,
    q: Annotated[str | None, Query(max_length=128, description="Part of a name, or of a key before its secret")] = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> KeysOut:
    ref = call_of(request).principal.ref
    size, after = pagination.check_limit(limit), pagination.decode_cursor(cursor)
    page = await in_tenant(ref, selectors.keys_page, ref, limit=size, after=after, state=state, query=q)
    used = await keyuse.glance(gate.store(), page.data)
    data = [KeyOut.of(key, use) for key, use in zip(page.data, used, strict=True)]
    return KeysOut(data=data, next_cursor=page.next_cursor)


@router.get("/keys/{key_id}", response=KeyOut, summary="One key")
@endpoint(scope=Scope.KEYS_READ)
async def get_key(request: HttpRequest, key_id: str) -> KeyOut:
    ref = call_of(request).principal.ref
    return await _shown(await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id)))


@router.patch("/keys/{key_id}", response=KeyOut, summary="Change what a key may do, its name or its end")
@endpoint(scope=Scope.KEYS_WRITE)
async def change_key(request: HttpRequest, key_id: str, body: KeyChange) -> KeyOut:
    """What is left out stays; null takes a restriction away. Nobody changes a key that may do more than they may
    themselves, nor makes one so. It holds for the very next request here, and within a second everywhere."""
    call = call_of(request)
    changes = restrictions.all_uniform(body.limits(only=body.model_fields_set))
    if "name" in body.model_fields_set:
        changes["name"] = body.name
    await _may_touch(call.principal, key_id, "keys.rotate")
    narrower(call.principal, {name: value for name, value in changes.items() if name in _NARROWING})
    if "team_ids" in changes:
        same_teams(call.principal, changes["team_ids"])
    changed = await in_tenant(
        call.principal.ref,
        _change,
        ids.parse("key", key_id),
        changes,
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return await _shown(changed)


@router.post("/keys/{key_id}/rotate", response=NewKeyOut, summary="New secret; the old one works a while longer")
@endpoint(scope=Scope.KEYS_WRITE)
async def rotate_key(request: HttpRequest, key_id: str, body: RotateIn | None = None) -> NewKeyOut:
    """The old secret works 24 hours longer unless `grace_s` says otherwise. While one is in its grace another rotation
    is refused (409 `rotation_running`), because it would end that one at once; `force` does so."""
    call = call_of(request)
    wanted = body or RotateIn()
    await _may_touch(call.principal, key_id, "keys.rotate")
    made = await in_tenant(
        call.principal.ref,
        keys.rotate,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        grace=timedelta(seconds=wanted.grace_s),
        force=wanted.force,
        request_id=call.request_id,
    )
    (use,) = await keyuse.glance(gate.store(), [made.key])
    return NewKeyOut(**fields(made.key, use), secret=made.secret)


@router.post("/keys/{key_id}/end-grace", response=KeyOut, summary="End the old secret now")
@endpoint(scope=Scope.KEYS_WRITE)
async def end_grace_key(request: HttpRequest, key_id: str) -> KeyOut:
    """After a rotation: the old secret stops working on every worker within a second. Without one nothing changes."""
    return await _ended(request, key_id, keys.end_grace)


@router.post("/keys/{key_id}/extend-grace", response=KeyOut, summary="Let the old secret work longer")
@endpoint(scope=Scope.KEYS_WRITE)
async def extend_grace_key(request: HttpRequest, key_id: str, body: ExtendIn | None = None) -> KeyOut:
    """While the old secret still works: it does so for `grace_s` from now, at most 30 days after the rotation. It is
    never shortened by this."""
    grace = timedelta(seconds=(body or ExtendIn()).grace_s)
    return await _ended(request, key_id, keys.extend_grace, grace=grace)


@router.post("/keys/{key_id}/revoke-tokens", response=KeyOut, summary="End every capability token made so far")
@endpoint(scope=Scope.KEYS_WRITE)
async def revoke_key_tokens(request: HttpRequest, key_id: str) -> KeyOut:
    """All tokens that this key has made stop working on every worker within a second; the key works on."""
    return await _ended(request, key_id, tokenends.end_all)


@router.delete("/keys/{key_id}", response=KeyOut, summary="Revoke a key, its old secret and its tokens too")
@endpoint(scope=Scope.KEYS_WRITE)
async def revoke_key(request: HttpRequest, key_id: str) -> KeyOut:
    """On every worker within a second; `GET /v1/keys/{id}/revocation` shows each one's."""
    return await _ended(request, key_id, keys.revoke, action="keys.revoke")


async def _ended(request: HttpRequest, key_id: str, work: Any, *, action: str = "keys.rotate", **given: Any) -> KeyOut:
    call = call_of(request)
    await _may_touch(call.principal, key_id, action)
    key = await in_tenant(
        call.principal.ref,
        work,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        request_id=call.request_id,
        **given,
    )
    await directory.load()
    return await _shown(key)


async def _shown(key: ApiKey) -> KeyOut:
    (use,) = await keyuse.glance(gate.store(), [key])
    return KeyOut.of(key, use)


def _create(**given: Any) -> keys.NewKey:
    """A key, in teams that cannot go away before it is there."""
    with transaction.atomic():
        teams.require(given["team_ids"] or ())
        return keys.create(**given)


def _change(key_id: UUID, changes: dict[str, Any], **given: Any) -> ApiKey:
    with transaction.atomic():
        teams.require(changes.get("team_ids") or ())
        return keys.change(key_id, changes, **given)


async def _may_touch(principal: Principal, key_id: str, action: str) -> None:
    """A narrowed key, or a person with few scopes, must not rotate a wider key into their own hands, nor change it; a
    person may always revoke what is theirs."""
    ref = principal.ref
    target = await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id))
    access.require(principal, action, Resource(owner_user_id=target.owner_user_id))
    if principal.key is not None or action != "keys.revoke":
        narrower(principal, {name: getattr(target, name) for name in _NARROWING})
        same_teams(principal, target.team_ids)


def narrower(principal: Principal, wanted: dict[str, Any]) -> None:
    """Raise Forbidden ``key_too_wide`` for a restriction that allows more than the caller's own."""
    for name, value in wanted.items():
        own = _own(principal, name)
        if restrictions.wider(name, value, own):
            who = "This key is itself" if principal.key is not None else f"Your role, {principal.role}, is"
            raise Forbidden(
                f"{who} limited in {name}; it cannot act for a key that may do more.",
                code="key_too_wide",
                extra={"field": name, "allowed": _told(own)},
            )


def same_teams(principal: Principal, wanted: Sequence[str] | None) -> None:
    """Raise Forbidden ``key_too_wide`` when a key in teams deals with one that is not in just these."""
    own = principal.grant.team_ids
    if principal.key is not None and restrictions.other_teams(wanted, own):
        raise Forbidden(
            "This key is in teams; it can only act for keys that are in the same.",
            code="key_too_wide", extra={"field": "team_ids", "allowed": list(own)},
        )  # fmt: skip


def _own(principal: Principal, name: str) -> Any:
    """What the caller's keys may have at most; None for no limit."""
    if principal.key is not None:
        return getattr(principal.key, name)
    if name != "scopes":
        return None
    allowed = roles.delegable(str(principal.role))
    return None if allowed >= set(roles.KEY_SCOPES) else tuple(allowed)


def _told(own: Any) -> Any:
    if isinstance(own, datetime):
        return own.isoformat()
    return asdict(own) if is_dataclass(own) and not isinstance(own, type) else sorted(own)
