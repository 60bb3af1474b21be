"""What the rest of the code knows of organizations, keys and callers: frozen values, never rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.journal import Actor


@dataclass(frozen=True, slots=True)
class OrgRef:
    """Which organization, and the schema its rows live in. All that a background task needs to carry."""

    id: UUID
    schema: str

    @property
    def public_id(self) -> str:
        return ids.public("org", self.id)


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization as every worker holds it in memory. ``flags`` and ``limits`` are overrides of code and plan."""

    ref: OrgRef
    slug: str
    name: str
    plan: str
    state: str
    suspended_at: datetime | None
    flags: dict[str, Any]
    limits: dict[str, Any]
    version: int
    created_at: datetime
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key without its secret. A ``None`` list means no restriction; an empty one allows nothing."""

    id: UUID
    org_id: UUID
    public: str
    name: str
    mode: str
    persona_ids: tuple[str, ...] | None
    subject_ids: tuple[str, ...] | None
    memory_scopes: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    previous_valid_until: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    created_by: str
    version: int
    secret_sha256: bytes = field(repr=False)
    previous_sha256: bytes | None = field(repr=False, default=None)

    @property
    def public_id(self) -> str:
        return ids.public("key", self.id)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: an organization through one of its keys."""

    organization: Organization
    key: ApiKey

    @property
    def ref(self) -> OrgRef:
        return self.organization.ref

    @property
    def actor(self) -> Actor:
        return Actor("key", self.key.public_id)

    def may_use_persona(self, persona_id: str) -> bool:
        return self.key.persona_ids is None or persona_id in self.key.persona_ids

    def may_use_subject(self, subject_id: str) -> bool:
        return self.key.subject_ids is None or subject_id in self.key.subject_ids
