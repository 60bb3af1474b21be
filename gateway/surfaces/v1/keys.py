"""`/v1/keys`: an organization's API keys. A secret is in the answer of create and rotate, and nowhere else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from gateway.core import clock, ids, pagination
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.core.wire import Flag, Moment
from gateway.governance.access import rules as access
from gateway.governance.access.types import Resource
from tenants import keys, selectors
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.people import roles
from tenants.types import ApiKey, Principal

router = Router(tags=["keys"])
_Name = Annotated[str, Field(min_length=1, max_length=128)]
KeyState = Literal["active", "rotating", "expired", "revoked"]
_RESTRICTIONS = ("persona_ids", "subject_ids", "memory_scopes", "scopes")


class KeyIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=80, pattern=r"\S")
    mode: Literal["live", "test"] = "live"
    persona_ids: list[_Name] | None = Field(None, max_length=200)
    subject_ids: list[_Name] | None = Field(None, max_length=200)
    memory_scopes: list[_Name] | None = Field(None, max_length=50)
    scopes: list[_Name] | None = Field(None, max_length=50)
    expires_at: Moment | None = None


class RotateIn(Schema):
    """``grace_s``: how long the old secret works on. ``force`` rotates although an older one is still in its grace."""

    model_config = ConfigDict(extra="forbid")

    grace_s: Literal[0, 3600, 86400, 604800] = 86400
    force: Flag = False


class KeyOwnerOut(Schema):
    id: str
    email: str


class KeyOut(Schema):
    """``owner`` is the person who answers for the key; ``created_by`` is who made it, and never changes."""

    id: str
    name: str
    mode: str
    prefix: str
    persona_ids: list[str] | None
    subject_ids: list[str] | None
    memory_scopes: list[str] | None
    scopes: list[str] | None
    state: KeyState
    owner: KeyOwnerOut | None
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    old_secret_valid_until: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, key: ApiKey) -> KeyOut:
        return cls(**_fields(key))


class NewKeyOut(KeyOut):
    secret: str


class KeysOut(Schema):
    data: list[KeyOut]
    next_cursor: str | None


@router.post("/keys", response={201: NewKeyOut}, summary="Create a key; its secret is shown once")
@endpoint(scope=Scope.KEYS_WRITE)
async def create_key(request: HttpRequest, body: KeyIn) -> tuple[int, NewKeyOut]:
    """A new key. A key can only make keys that may do no more than itself."""
    call = call_of(request)
    principal: Principal = call.principal
    wanted = {name: getattr(body, name) for name in _RESTRICTIONS}
    _narrower(principal, wanted)
    owner = principal.key.owner_user_id if principal.key is not None else principal.user_id
    made = await in_tenant(
        principal.ref, keys.create, name=body.name, mode=body.mode, actor=principal.actor, owner_user_id=owner,
        expires_at=body.expires_at, request_id=call.request_id, **wanted,
    )  # fmt: skip
    return 201, NewKeyOut(**_fields(made.key), secret=made.secret)


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
    return KeysOut(data=[KeyOut.of(key) for key in page.data], next_cursor=page.next_cursor)


@router.get("/keys/{key_id}", response=KeyOut, summary="One key")
@endpoint(scope=Scope.KEYS_READ)
async def get_key(request: HttpRequest, key_id: str) -> KeyOut:
    ref = call_of(request).principal.ref
    return KeyOut.of(await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id)))


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
    return NewKeyOut(**_fields(made.key), secret=made.secret)


@router.post("/keys/{key_id}/end-grace", response=KeyOut, summary="End the old secret now")
@endpoint(scope=Scope.KEYS_WRITE)
async def end_grace_key(request: HttpRequest, key_id: str) -> KeyOut:
    """After a rotation: the old secret stops working on every worker within a second. Without one nothing changes."""
    call = call_of(request)
    await _may_touch(call.principal, key_id, "keys.rotate")
    key = await in_tenant(
        call.principal.ref,
        keys.end_grace,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return KeyOut.of(key)


@router.delete("/keys/{key_id}", response=KeyOut, summary="Revoke a key, its old secret too")
@endpoint(scope=Scope.KEYS_WRITE)
async def revoke_key(request: HttpRequest, key_id: str) -> KeyOut:
    call = call_of(request)
    await _may_touch(call.principal, key_id, "keys.revoke")
    key = await in_tenant(
        call.principal.ref,
        keys.revoke,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return KeyOut.of(key)


async def _may_touch(principal: Principal, key_id: str, action: str) -> None:
    """A narrowed key, or a person with few scopes, must not rotate a wider key into their own hands; a person may
    always revoke what is theirs."""
    ref = principal.ref
    target = await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id))
    access.require(principal, action, Resource(owner_user_id=target.owner_user_id))
    if principal.key is not None or action != "keys.revoke":
        _narrower(principal, {name: getattr(target, name) for name in _RESTRICTIONS})


def _narrower(principal: Principal, wanted: dict[str, Any]) -> None:
    for name, values in wanted.items():
        own = _own(principal, name)
        if own is not None and (values is None or not set(values) <= set(own)):
            who = "This key is itself" if principal.key is not None else f"Your role, {principal.role}, is"
            raise Forbidden(
                f"{who} limited in {name}; it cannot act for a key that may do more.",
                code="key_too_wide",
                extra={"field": name, "allowed": sorted(own)},
            )


def _own(principal: Principal, name: str) -> tuple[str, ...] | None:
    """What the caller's keys may have at most; None for no limit."""
    if principal.role is None or name != "scopes":
        return getattr(principal.grant, name)  # type: ignore[no-any-return]
    allowed = roles.delegable(principal.role)
    return None if allowed >= set(roles.KEY_SCOPES) else tuple(allowed)


def _fields(key: ApiKey) -> dict[str, Any]:
    plain = ("name", "mode", *_RESTRICTIONS, "expires_at", "revoked_at", "rotated_at", "last_used_at", "created_at")
    owner = directory.person(key.owner_user_id) if key.owner_user_id is not None else None
    return {
        "id": key.public_id,
        "prefix": f"ik_{key.mode}_{key.public}",
        "state": key.state_at(clock.now()),
        "owner": KeyOwnerOut(id=owner.public_id, email=owner.email) if owner is not None else None,
        "old_secret_valid_until": key.previous_valid_until,
        "created_by": key.created_by,
        **{name: getattr(key, name) for name in plain},
    }
