"""What an operation declares about itself, and the call that carries a request through the spine.

A slice's ``api.py`` only *declares*: which scope a key needs, which flag gates it, how large a body may be, whether
it calls a model. The spine (``gateway/surfaces/spine.py``) reads the declaration and enforces it for every operation in
the same way, so that no slice can forget a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from django.http import HttpRequest

KB, MB = 1024, 1024 * 1024


class Scope(StrEnum):
    """What a caller may be allowed. A key may be narrowed to some (``None`` on a key means all that a key can have);
    a person has those of their role (``tenants.people.roles``)."""

    CHAT = "chat"
    MEMORIES_READ = "memories:read"
    MEMORIES_WRITE = "memories:write"
    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    PERSONAS_READ = "personas:read"
    PERSONAS_WRITE = "personas:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    PROPOSALS_READ = "proposals:read"
    PROPOSALS_WRITE = "proposals:write"
    PROPOSALS_DECIDE = "proposals:decide"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    REQUESTS_READ = "requests:read"
    AUDIT_READ = "audit:read"
    OPERATIONS = "operations"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    ORGANIZATION_WRITE = "organization:write"
    SSO_WRITE = "sso:write"
    USAGE_READ = "usage:read"
    BILLING_WRITE = "billing:write"
    LIMITS_WRITE = "limits:write"
    FLAGS_WRITE = "flags:write"
    TOKENS_WRITE = "tokens:write"


class Body(StrEnum):
    """Route classes by the largest body they take; settings may change each (`IKIRO_BODY_LIMITS`)."""

    DEFAULT = "default"
    INFERENCE = "inference"
    DOCUMENT = "document"
    BATCH = "batch"


BODY_LIMITS = {Body.DEFAULT: 1 * MB, Body.INFERENCE: 32 * MB, Body.DOCUMENT: 50 * MB, Body.BATCH: 16 * MB}


# The surface of calls that a worker makes to hear how a persona answers: paid for and recorded like every other, but
# nobody asked, so that what tells of people's use of a persona leaves them out.
REHEARSAL = "consistency"


class Metering(StrEnum):
    """How an operation is metered: ``call`` opens a lease and leaves a ledger entry, ``rate`` only passes the rate
    limit."""

    RATE = "rate"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation's declaration. ``scope=None`` means any valid caller; ``public`` needs no key at all (health,
    documents); ``account`` is for a person's own affairs: it needs a user token, which may name no organization;
    ``surface`` names the dialect when it is not the router's own; ``raw`` operations read the request themselves, so
    Ninja need not parse anything for them; ``reads`` is for a POST that changes nothing: having nothing
    to repeat, it takes no ``Idempotency-Key`` and answers with what is so now."""

    scope: Scope | None
    flag: str | None = "enable_gateway_api"
    metering: Metering = Metering.RATE
    body: Body = Body.DEFAULT
    public: bool = False
    surface: str | None = None
    raw: bool = False
    account: bool = False
    reads: bool = False


_F = TypeVar("_F", bound=Callable[..., Any])


def endpoint(
    *,
    scope: Scope | None,
    flag: str | None = "enable_gateway_api",
    metering: Metering = Metering.RATE,
    body: Body = Body.DEFAULT,
    public: bool = False,
    surface: str | None = None,
    raw: bool = False,
    account: bool = False,
    reads: bool = False,
) -> Callable[[_F], _F]:
    """Declare a Ninja operation to the spine. Goes directly above ``async def``, below the router's decorator."""

    def mark(view: _F) -> _F:
        given = Endpoint(scope, flag, metering, body, public, surface, raw, account, reads)
        view.__endpoint__ = given  # type: ignore[attr-defined]
        return view

    return mark


def declared(view: Callable[..., Any]) -> Endpoint | None:
    """The declaration of a view function, or None for one that forgot it."""
    return getattr(view, "__endpoint__", None)


@dataclass(slots=True)
class Call:
    """One request on its way through the spine. Every surface makes exactly one and hands it down.

    ``principal`` is a ``tenants.types.Principal``, or None where an ``account`` (``tenants.types.Account``) calls for
    itself; ``admission`` is what ``platform.admission`` returned; ``failure`` is the error that was answered;
    ``parent_id`` is the request that this one replays; ``begun`` is what another lane began of it
    (``engine.chat.prepared.Begun``); ``body_days`` is for how long its policy lets its bodies be kept, None: as long as
    the organization's are; ``body_mode`` how they are masked at least; ``shadow`` is what overlays in shadow would have
    decided otherwise (``engine.chat.shadowing``), for the record alone; ``trace`` is the request's own span while it is
    traced; ``decisions`` collects the decision record in order, one JSON-able dict per stage, without any content of
    the caller.
    """

    request_id: UUID
    surface: str
    principal: Any = None
    account: Any = None
    admission: Any = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    failure: Any = None
    trace: Any = None
    parent_id: UUID | None = None
    begun: Any = None
    body_days: int | None = None
    body_mode: str | None = None
    shadow: dict[str, Any] | None = None
    began: float = field(default_factory=time.monotonic)

    def decided(self, stage: str, verdict: str, **facts: Any) -> None:
        """Add one line to the decision record: ``verdict`` is ``ok``, ``refused`` or ``degraded``; ``at_ms`` counts
        from the request's arrival."""
        at_ms = round((time.monotonic() - self.began) * 1000, 1)
        self.decisions.append({"stage": stage, "verdict": verdict, "at_ms": at_ms, **facts})

    def known(self, principal: Any) -> None:
        """It is known who calls."""
        self.principal = principal
        grant = principal.grant
        self.decided("auth", "ok", **{grant.kind: grant.public_id}, organization=principal.ref.public_id)

    def read(self, action: str, target: str, **facts: Any) -> None:
        """Note a read of memory or content; it reaches the audit through the usage stream when the call settles."""
        self.reads.append({"action": action, "target": target, **facts})


def call_of(request: HttpRequest) -> Call:
    """The call that the spine attached to this request."""
    call: Call = request.call  # type: ignore[attr-defined]
    return call
