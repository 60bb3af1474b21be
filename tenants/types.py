"""What the rest of the code knows of organizations, keys and callers: frozen values, never rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import Forbidden
from gateway.core.journal import Actor
from tenants.rules import Disconnect, KeyBudget, KeyRate, LimitRule, OrgSettings


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
    """One organization as every worker holds it in memory. ``flags`` and ``limits`` are the operator's overrides of
    code and plan; ``rules`` and ``settings`` are its own. ``closes_at`` is when it is deleted, None while nobody asked
    for that."""

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
    rules: tuple[LimitRule, ...] = ()
    settings: OrgSettings = field(default_factory=OrgSettings)
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key without its secret. A ``None`` list means no restriction; an empty one allows nothing.

    ``owner_user_id`` is the person who answers for it; ``created_by`` never changes. ``models`` are full names, aliases
    or ``provider/*``; ``cache_s`` opts in to the response cache for so many seconds. ``team_ids`` restrict nothing by
    themselves: the policies of these teams hold for what it calls.
    """

    kind: ClassVar[str] = "key"

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
    owner_user_id: UUID | None = None
    models: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    ip_ranges: tuple[str, ...] | None = None
    rate: KeyRate | None = None
    budget: KeyBudget | None = None
    on_disconnect: str = Disconnect.CANCEL
    cache_s: int | None = None
    token_epoch: int = 0
    revoked_version: int | None = None
    team_ids: tuple[str, ...] = ()

    @property
    def public_id(self) -> str:
        return ids.public("key", self.id)

    def state_at(self, now: datetime) -> str:
        """``revoked``, ``expired``, ``rotating`` (the secret before still works) or ``active``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        grace = self.previous_valid_until
        return "rotating" if grace is not None and grace > now else "active"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, as every worker holds them in memory. Only active ones are there."""

    id: UUID
    email: str
    name: str
    tokens_valid_after: datetime | None
    created_at: datetime

    @property
    def public_id(self) -> str:
        return ids.public("usr", self.id)


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's place in an organization."""

    user_id: UUID
    org_id: UUID
    role: str


class Grant(Protocol):
    """What a caller may do, whoever it is: a key, its token or a person. ``None`` means no restriction; ``id`` is for
    the trail.

    ``kind`` is ``key``, ``token`` or ``user``.
    """

    kind: ClassVar[str]

    @property
    def id(self) -> UUID: ...
    @property
    def public_id(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    @property
    def persona_ids(self) -> tuple[str, ...] | None: ...
    @property
    def subject_ids(self) -> tuple[str, ...] | None: ...
    @property
    def memory_scopes(self) -> tuple[str, ...] | None: ...
    @property
    def models(self) -> tuple[str, ...] | None: ...
    @property
    def team_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """What a person may do in one organization: what their role says, and no narrower than that."""

    kind: ClassVar[str] = "user"
    persona_ids: ClassVar[tuple[str, ...] | None] = None
    subject_ids: ClassVar[tuple[str, ...] | None] = None
    memory_scopes: ClassVar[tuple[str, ...] | None] = None
    models: ClassVar[tuple[str, ...] | None] = None
    team_ids: ClassVar[tuple[str, ...]] = ()

    person: Person
    role: str
    scopes: tuple[str, ...]

    @property
    def id(self) -> UUID:
        return self.person.id

    @property
    def public_id(self) -> str:
        return self.person.public_id


@dataclass(frozen=True, slots=True)
class CapabilityToken:
    """What a token may do now: what it says, cut down to what its key may do at this moment. One persona, one subject;
    ``budget_micros`` is what it may spend in its whole life, None for no budget of its own."""

    kind: ClassVar[str] = "token"

    id: UUID
    scopes: tuple[str, ...]
    persona_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    memory_scopes: tuple[str, ...] | None
    models: tuple[str, ...] | None
    origins: tuple[str, ...] | None
    budget_micros: int | None
    expires_at: datetime
    team_ids: tuple[str, ...] = ()

    @property
    def public_id(self) -> str:
        return ids.public("tok", self.id)


@dataclass(frozen=True, slots=True)
class Session:
    """A genuine user token's session: how its person proved who they are, and when last."""

    sid: str
    amr: tuple[str, ...]
    authenticated_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A person calling for themselves, not for an organization."""

    person: Person
    session: Session

    @property
    def actor(self) -> Actor:
        return Actor("user", self.person.public_id)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling for an organization: one of its keys, a token that a key made, or one of its people. ``grant`` is
    what all have alike. With a ``token``, ``key`` is the one that made it, whose limits are the token's too;
    ``by_old_secret`` says that a rotated key's former secret was used."""

    organization: Organization
    key: ApiKey | None
    seat: Seat | None = None
    session: Session | None = None
    token: CapabilityToken | None = None
    by_old_secret: bool = False

    @property
    def grant(self) -> Grant:
        return self.token or self.key or self.seat  # type: ignore[return-value]  # one of them is always there

    @property
    def user(self) -> Person | None:
        return self.seat.person if self.seat is not None else None

    @property
    def role(self) -> str | None:
        return self.seat.role if self.seat is not None else None

    @property
    def ref(self) -> OrgRef:
        return self.organization.ref

    @property
    def key_id(self) -> UUID | None:
        return self.key.id if self.key is not None else None

    @property
    def user_id(self) -> UUID | None:
        return self.seat.person.id if self.seat is not None else None

    @property
    def actor(self) -> Actor:
        return Actor(self.grant.kind, self.grant.public_id)

    def may_use_persona(self, persona_id: str) -> bool:
        allowed = self.grant.persona_ids
        return allowed is None or persona_id in allowed

    def may_use_subject(self, subject_id: str) -> bool:
        allowed = self.grant.subject_ids
        return allowed is None or subject_id in allowed

    def require_persona(self, persona_id: str) -> None:
        """Raise Forbidden ``persona_not_allowed`` for a persona that the caller is not narrowed to."""
        if not self.may_use_persona(persona_id):
            raise Forbidden(f"This key may not use the persona {persona_id!r}.", code="persona_not_allowed")

    def require_subject(self, subject_id: str) -> None:
        """Raise Forbidden ``subject_not_allowed`` for a subject that the caller is not narrowed to. It is not named:
        the caller may have found it by something else."""
        if not self.may_use_subject(subject_id):
            raise Forbidden("This key may not act for this subject.", code="subject_not_allowed")

    def require_memory_scopes(self, names: Iterable[str]) -> None:
        """Raise Forbidden ``memory_scope_not_allowed`` for memory scopes that the caller is not narrowed to; upper and
        lower case are the same."""
        allowed = self.grant.memory_scopes
        known = {one.casefold() for one in allowed or ()}
        outside = sorted({one for one in names if one.casefold() not in known}) if allowed is not None else []
        if outside:
            told = f"This key may not use the memory scopes {', '.join(outside)}."
            raise Forbidden(told, code="memory_scope_not_allowed")

    def may_use_model(self, name: str, alias: str | None = None) -> bool:
        """``name`` is the full ``provider/model``; an alias that is allowed allows what it stands for."""
        allowed = self.grant.models
        return allowed is None or name in allowed or alias in allowed or f"{name.partition('/')[0]}/*" in allowed
