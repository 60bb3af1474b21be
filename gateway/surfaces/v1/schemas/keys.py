"""Shapes of `/v1/keys`. A secret is in the answer of create and rotate, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import clock
from gateway.core.wire import Flag, Moment, Whole
from gateway.governance.access.teams import MAX_MEMBERSHIPS
from tenants.directory import directory
from tenants.keyuse import Use
from tenants.rules import KeyBudget, KeyRate
from tenants.types import ApiKey

_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Text = Annotated[str, Field(min_length=1, max_length=300)]
KeyState = Literal["active", "rotating", "expired", "revoked"]
GraceS = Literal[0, 3600, 86400, 604800]
_PLAIN = (
    "name", "mode", "persona_ids", "subject_ids", "memory_scopes", "scopes", "models", "origins", "ip_ranges",
    "on_disconnect", "cache_s", "team_ids", "expires_at", "revoked_at", "rotated_at", "last_used_at", "created_at",
    "created_by",
)  # fmt: skip


class KeyRateIn(Schema):
    """At most `limit` requests in any `window_s` seconds."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[Whole, Field(ge=1, le=1_000_000)]
    window_s: Annotated[Whole, Field(ge=1, le=86_400)]


class KeyBudgetIn(Schema):
    """Micro-dollars in a UTC day or month. A `hard` one is never overspent; a soft one is only reported."""

    model_config = ConfigDict(extra="forbid")

    limit_micros: Annotated[Whole, Field(ge=1, le=10**15)]
    window: Literal["day", "month"]
    hard: Flag = True


class KeyLimitsIn(Schema):
    """What narrows a key. Left out or null means no restriction; an empty list allows nothing."""

    model_config = ConfigDict(extra="forbid")

    persona_ids: list[_Name] | None = Field(None, max_length=200)
    subject_ids: list[_Name] | None = Field(None, max_length=200)
    memory_scopes: list[_Name] | None = Field(None, max_length=50)
    scopes: list[_Name] | None = Field(None, max_length=50)
    models: list[_Text] | None = Field(
        None, max_length=200, description="Full names `provider/model`, aliases, or `provider/*`."
    )
    origins: list[_Text] | None = Field(
        None, max_length=50, description="Web origins, `https://app.example`, whose pages may use it and its tokens."
    )
    ip_ranges: list[_Text] | None = Field(None, max_length=100, description="Addresses or networks, `203.0.113.0/24`.")
    expires_at: Moment | None = None
    rate: KeyRateIn | None = None
    budget: KeyBudgetIn | None = None
    on_disconnect: Literal["cancel", "drain"] = Field(
        "cancel", description="What a stream does whose caller hung up: end, or run to its end for whoever comes back."
    )
    cache_s: Annotated[Whole, Field(ge=1, le=86_400)] | None = Field(
        None, description="Answer the same request again from the cache, for so many seconds."
    )
    team_ids: list[_Name] | None = Field(
        None, max_length=MAX_MEMBERSHIPS, description="Teams whose policies hold for what the key calls; null for none."
    )

    def limits(self, *, only: set[str] | None = None) -> dict[str, Any]:
        """The fields of ``ApiKey`` that this sets: all, or those of ``only``."""
        found = {name: getattr(self, name) for name in KeyLimitsIn.model_fields if only is None or name in only}
        if isinstance(found.get("rate"), KeyRateIn):
            found["rate"] = KeyRate(**found["rate"].model_dump())
        if isinstance(found.get("budget"), KeyBudgetIn):
            found["budget"] = KeyBudget(**found["budget"].model_dump())
        return found


class KeyIn(KeyLimitsIn):
    name: str = Field(min_length=1, max_length=80, pattern=r"\S")
    mode: Literal["live", "test"] = "live"


class KeyChange(KeyLimitsIn):
    """What is left out stays as it is; null takes a restriction away."""

    name: str = Field("", min_length=1, max_length=80, pattern=r"\S")


class RotateIn(Schema):
    """``grace_s``: how long the old secret works on. ``force`` rotates although an older one is still in its grace."""

    model_config = ConfigDict(extra="forbid")

    grace_s: GraceS = 86400
    force: Flag = False


class ExtendIn(Schema):
    """``grace_s``: how long the old secret shall work from now."""

    model_config = ConfigDict(extra="forbid")

    grace_s: Literal[3600, 86400, 604800] = 86400


class KeyRateOut(Schema):
    limit: int
    window_s: int


class KeyBudgetOut(Schema):
    limit_micros: int
    window: Literal["day", "month"]
    hard: bool


class KeyOwnerOut(Schema):
    id: str
    email: str


class KeyOut(Schema):
    """``owner`` is the person who answers for the key; ``created_by`` is who made it, and never changes. ``calls_24h``
    is null while the store that counts is away."""

    id: str
    name: str
    mode: str
    prefix: str
    persona_ids: list[str] | None
    subject_ids: list[str] | None
    memory_scopes: list[str] | None
    scopes: list[str] | None
    models: list[str] | None
    origins: list[str] | None
    ip_ranges: list[str] | None
    rate: KeyRateOut | None
    budget: KeyBudgetOut | None
    on_disconnect: str
    cache_s: int | None
    team_ids: list[str]
    state: KeyState
    owner: KeyOwnerOut | None
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    old_secret_valid_until: datetime | None
    old_secret_last_used_at: datetime | None
    calls_24h: int | None
    last_used_at: datetime | None
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, key: ApiKey, use: Use) -> KeyOut:
        return cls(**fields(key, use))


class NewKeyOut(KeyOut):
    secret: str


class KeysOut(Schema):
    data: list[KeyOut]
    next_cursor: str | None


class OldSecretCallerOut(Schema):
    """A network (`/24`, `/48`) and the beginning of a user agent: enough to find who has not yet changed over."""

    network: str
    user_agent: str
    calls: int
    last_used_at: datetime


class OldSecretUsesOut(Schema):
    """Who still uses the secret before the last rotation. Counts arrive within some seconds; callers are the latest
    twenty."""

    old_secret_valid_until: datetime | None
    last_used_at: datetime | None
    calls_24h: int
    callers: list[OldSecretCallerOut]


class WorkerOut(Schema):
    """One web process. ``obeys`` is false also while it is not heard of. ``ms`` is from the revocation (or the last
    change) to ``obeyed_at``; null for one that started later, or obeyed too long ago."""

    id: str
    obeys: bool
    obeyed_at: datetime | None
    ms: int | None
    seen_at: datetime


class RevocationOut(Schema):
    """Whether every web process knows the key as it is now. ``version`` is that of the directory which revoked it, or
    changed it last."""

    revoked_at: datetime | None
    version: int
    obeyed_by_all: bool
    workers: list[WorkerOut]


def fields(key: ApiKey, use: Use) -> dict[str, Any]:
    """A key as ``KeyOut`` shows it."""
    owner = directory.person(key.owner_user_id) if key.owner_user_id is not None else None
    return {
        "id": key.public_id,
        "prefix": f"ik_{key.mode}_{key.public}",
        "state": key.state_at(clock.now()),
        "owner": KeyOwnerOut(id=owner.public_id, email=owner.email) if owner is not None else None,
        "old_secret_valid_until": key.previous_valid_until,
        "old_secret_last_used_at": use.old_last_used_at,
        "calls_24h": use.calls_24h,
        "rate": plain(key.rate),
        "budget": plain(key.budget),
        **{name: getattr(key, name) for name in _PLAIN},
    }


def plain(value: KeyRate | KeyBudget | None) -> Mapping[str, Any] | None:
    return None if value is None else asdict(value)
