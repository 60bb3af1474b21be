"""What is asked of access, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from gateway.core.endpoint import Scope

# What a page or a button does, and the scope that it needs.
ACTIONS: Mapping[str, Scope] = MappingProxyType(
    {
        "chat.run": Scope.CHAT,
        "keys.list": Scope.KEYS_READ,
        "keys.create": Scope.KEYS_WRITE,
        "keys.rotate": Scope.KEYS_WRITE,
        "keys.revoke": Scope.KEYS_WRITE,
        "personas.read": Scope.PERSONAS_READ,
        "personas.edit": Scope.PERSONAS_WRITE,
        "memory.read": Scope.MEMORIES_READ,
        "memory.write": Scope.MEMORIES_WRITE,
        "proposals.read": Scope.PROPOSALS_READ,
        "proposals.decide": Scope.PROPOSALS_DECIDE,
        "policies.read": Scope.POLICIES_READ,
        "policies.edit": Scope.POLICIES_WRITE,
        "requests.read": Scope.REQUESTS_READ,
        "audit.read": Scope.AUDIT_READ,
        "members.list": Scope.MEMBERS_READ,
        "members.invite": Scope.MEMBERS_WRITE,
        "members.change": Scope.MEMBERS_WRITE,
        "members.remove": Scope.MEMBERS_WRITE,
        "providers.read": Scope.PROVIDERS_READ,
        "providers.write": Scope.PROVIDERS_WRITE,
        "sso.manage": Scope.SSO_WRITE,
        "organization.manage": Scope.ORGANIZATION_WRITE,
    }
)


@dataclass(frozen=True, slots=True)
class Resource:
    """What the action is done to, as far as a rule may look at it: whose it is, and which role is touched or given."""

    owner_user_id: UUID | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``code`` is the machine code of a refusal, ``why`` what to tell whoever was refused."""

    allowed: bool
    code: str = ""
    why: str = ""


ALLOWED = Decision(True)
