"""What ``/v1/me``, ``/v1/capabilities``, ``/v1/limits`` and ``/v1/models`` answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema


class MeOrganizationOut(Schema):
    id: str
    slug: str
    name: str
    plan: str


class MeKeyOut(Schema):
    """``null`` means no restriction."""

    id: str
    name: str
    mode: Literal["live", "test"]
    scopes: list[str]
    persona_ids: list[str] | None
    subject_ids: list[str] | None
    memory_scopes: list[str] | None


class MeTokenOut(Schema):
    """A capability token: one persona, one subject. ``null`` means as its key has it."""

    id: str
    scopes: list[str]
    persona_ids: list[str]
    subject_ids: list[str]
    memory_scopes: list[str] | None
    models: list[str] | None
    origins: list[str] | None
    budget_micros: int | None
    expires_at: datetime


class MeUserOut(Schema):
    id: str
    email: str
    name: str


class MeOut(Schema):
    """The organization, and the key, token or person that calls; ``role`` is the person's."""

    organization: MeOrganizationOut
    key: MeKeyOut | None
    token: MeTokenOut | None
    user: MeUserOut | None
    role: str | None


class RateOut(Schema):
    limit: int
    window_s: int


class PlanLimitsOut(Schema):
    """``null`` is unlimited."""

    calls_per_month: int | None
    personas: int | None
    memories_per_subject: int | None
    rate: RateOut


class CapabilitiesOut(Schema):
    """What works at this moment. ``dependencies`` names what is away."""

    features: dict[str, bool]
    models: list[str]
    proposal_types: list[str]
    surfaces: dict[str, bool]
    recall: dict[str, bool]
    dependencies: dict[str, str]
    limits: PlanLimitsOut
