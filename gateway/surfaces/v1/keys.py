"""`/v1/keys`: an organization's API keys. A secret is in the answer of create and rotate, and nowhere else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from gateway.core import ids, pagination
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.core.wire import Moment
from tenants import keys, selectors
from tenants.context import in_tenant
from tenants.types import ApiKey, Principal

router = Router(tags=["keys"])
_Name = Annotated[str, Field(min_length=1, max_length=128)]
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


class KeyOut(Schema):
    id: str
    name: str
    mode: str
    prefix: str
    persona_ids: list[str] | None
    subject_ids: list[str] | None
    memory_scopes: list[str] | None
    scopes: list[str] | None
    state: str
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
    wanted = {name: getattr(body, name) for name in _RESTRICTIONS}
    _narrower(call.principal, wanted)
    made = await in_tenant(
        call.principal.ref, keys.create, name=body.name, mode=body.mode, actor=call.principal.actor,
        expires_at=body.expires_at, request_id=call.request_id, **wanted,
    )  # fmt: skip
    return 201, NewKeyOut(**_fields(made.key), secret=made.secret)


@router.get("/keys", response=KeysOut, summary="List keys, newest first")
@endpoint(scope=Scope.KEYS_READ)
async def list_keys(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> KeysOut:
    ref = call_of(request).principal.ref
    size, after = pagination.check_limit(limit), pagination.decode_cursor(cursor)
    page = await in_tenant(ref, selectors.keys_page, ref, limit=size, after=after)
    return KeysOut(data=[KeyOut.of(key) for key in page.data], next_cursor=page.next_cursor)


@router.get("/keys/{key_id}", response=KeyOut, summary="One key")
@endpoint(scope=Scope.KEYS_READ)
async def get_key(request: HttpRequest, key_id: str) -> KeyOut:
    ref = call_of(request).principal.ref
    return KeyOut.of(await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id)))


@router.post("/keys/{key_id}/rotate", response=NewKeyOut, summary="New secret; the old one works 24 more hours")
@endpoint(scope=Scope.KEYS_WRITE)
async def rotate_key(request: HttpRequest, key_id: str) -> NewKeyOut:
    call = call_of(request)
    await _may_touch(call.principal, key_id)
    made = await in_tenant(
        call.principal.ref,
        keys.rotate,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return NewKeyOut(**_fields(made.key), secret=made.secret)


@router.delete("/keys/{key_id}", response=KeyOut, summary="Revoke a key, its old secret too")
@endpoint(scope=Scope.KEYS_WRITE)
async def revoke_key(request: HttpRequest, key_id: str) -> KeyOut:
    call = call_of(request)
    await _may_touch(call.principal, key_id)
    key = await in_tenant(
        call.principal.ref,
        keys.revoke,
        ids.parse("key", key_id),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return KeyOut.of(key)


async def _may_touch(principal: Principal, key_id: str) -> None:
    """A narrowed key must not rotate a wider one into its own hands, nor revoke it."""
    ref = principal.ref
    target = await in_tenant(ref, selectors.key, ref, ids.parse("key", key_id))
    _narrower(principal, {name: getattr(target, name) for name in _RESTRICTIONS})


def _narrower(principal: Principal, wanted: dict[str, list[str] | tuple[str, ...] | None]) -> None:
    for name, values in wanted.items():
        own = getattr(principal.key, name)
        if own is not None and (values is None or not set(values) <= set(own)):
            raise Forbidden(
                f"This key is itself limited in {name}; it cannot act for a key that may do more.",
                code="key_too_wide",
                extra={"field": name, "allowed": list(own)},
            )


def _fields(key: ApiKey) -> dict[str, Any]:
    plain = ("name", "mode", *_RESTRICTIONS, "expires_at", "revoked_at", "rotated_at", "last_used_at", "created_at")
    return {
        "id": key.public_id,
        "prefix": f"ik_{key.mode}_{key.public}",
        "state": "revoked" if key.revoked_at else "active",
        "old_secret_valid_until": key.previous_valid_until,
        "created_by": key.created_by,
        **{name: getattr(key, name) for name in plain},
    }
