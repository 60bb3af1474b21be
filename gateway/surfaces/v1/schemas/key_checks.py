"""Shapes of what can be asked about a key: what it could call, and what it is that I hold."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema

from gateway.surfaces.v1.schemas.keys import KeyBudgetOut, KeyRateOut, KeyState


class CallableOut(Schema):
    """One operation. ``code`` and ``why`` are what a call would be refused with."""

    method: str
    path: str
    summary: str
    allowed: bool
    code: str | None
    why: str | None


class CallablePersonaOut(Schema):
    id: str
    allowed: bool


class CallableModelOut(Schema):
    """``listed`` is false for one that the key names and nobody lists: it may still answer."""

    id: str
    allowed: bool
    listed: bool


class CallableLimitsOut(Schema):
    """The key's own, and beside them the organization's, which all of its keys share."""

    rate: KeyRateOut | None
    budget: KeyBudgetOut | None
    expires_at: datetime | None
    organization_rate: KeyRateOut
    organization_calls_per_month: int | None


class KeyPreviewOut(Schema):
    """What this key could call. Lists that narrow it to something unknown here are part of the answer, too: then
    nothing of that kind is allowed."""

    operations: list[CallableOut]
    personas: list[CallablePersonaOut]
    models: list[CallableModelOut]
    subject_ids: list[str] | None
    memory_scopes: list[str] | None
    origins: list[str] | None
    ip_ranges: list[str] | None
    limits: CallableLimitsOut


class SelfHereOut(Schema):
    """Where this very call came from. It was let in, so all of it passes; elsewhere the answer would have been 403
    `ip_not_allowed` or `origin_not_allowed`."""

    address: str
    address_allowed: bool
    origin: str | None
    origin_allowed: bool


class SelfLimitsOut(Schema):
    """The tightest request rate over this caller at this moment."""

    limit: int
    remaining: int
    reset_s: int


class SelfOut(Schema):
    """The key or capability token that was sent. ``null`` means no restriction."""

    kind: Literal["key", "token"]
    id: str
    key_id: str
    organization: str
    name: str | None
    mode: Literal["live", "test"]
    state: KeyState
    secret: Literal["current", "old"]
    old_secret_valid_until: datetime | None
    scopes: list[str]
    persona_ids: list[str] | None
    subject_ids: list[str] | None
    memory_scopes: list[str] | None
    models: list[str] | None
    origins: list[str] | None
    ip_ranges: list[str] | None
    rate: KeyRateOut | None
    budget: KeyBudgetOut | None
    budget_micros: int | None
    on_disconnect: str
    cache_s: int | None
    team_ids: list[str]
    expires_at: datetime | None
    here: SelfHereOut
    limits: SelfLimitsOut | None
