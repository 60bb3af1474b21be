"""The six built-in roles: which scopes each has, and how far some of them reach.

A role is on the membership; groups and bindings of an organization's own (``gateway.governance.access``) come on top.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from gateway.core.endpoint import Scope


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    REVIEWER = "reviewer"
    BILLING = "billing"
    VIEWER = "viewer"


class View(StrEnum):
    """How much of a log a role sees: all of it, what the person and their keys did, or what was decided."""

    ALL = "all"
    OWN = "own"
    DECISIONS = "decisions"


# Only a person has these. Whoever holds a key must never make themselves a member, nor change who is one, nor what the
# organization pays for.
PERSON_ONLY = frozenset(
    {Scope.MEMBERS_WRITE, Scope.ORGANIZATION_WRITE, Scope.SSO_WRITE, Scope.BILLING_WRITE, Scope.FLAGS_WRITE}
)
KEY_SCOPES = tuple(scope for scope in Scope if scope not in PERSON_ONLY)

SCOPES = MappingProxyType(
    {
        Role.OWNER: frozenset(Scope),
        Role.ADMIN: frozenset(Scope) - {Scope.ORGANIZATION_WRITE, Scope.BILLING_WRITE},
        Role.DEVELOPER: frozenset(
            {
                Scope.CHAT,
                Scope.MEMORIES_READ,
                Scope.MEMORIES_WRITE,
                Scope.CONVERSATIONS_READ,
                Scope.CONVERSATIONS_WRITE,
                Scope.PERSONAS_READ,
                Scope.PERSONAS_WRITE,
                Scope.POLICIES_READ,
                Scope.PROPOSALS_READ,
                Scope.PROPOSALS_WRITE,
                Scope.KEYS_READ,
                Scope.KEYS_WRITE,
                Scope.REQUESTS_READ,
                Scope.AUDIT_READ,
                Scope.OPERATIONS,
                Scope.PROVIDERS_READ,
                Scope.MEMBERS_READ,
                Scope.USAGE_READ,
                Scope.TOKENS_WRITE,
            }
        ),
        Role.REVIEWER: frozenset(
            {
                Scope.PERSONAS_READ,
                Scope.POLICIES_READ,
                Scope.PROPOSALS_READ,
                Scope.PROPOSALS_DECIDE,
                Scope.REQUESTS_READ,
                Scope.AUDIT_READ,
                Scope.MEMBERS_READ,
            }
        ),
        Role.BILLING: frozenset({Scope.MEMBERS_READ, Scope.USAGE_READ}),
        Role.VIEWER: frozenset(
            {
                Scope.PERSONAS_READ,
                Scope.KEYS_READ,
                Scope.REQUESTS_READ,
                Scope.POLICIES_READ,
                Scope.MEMBERS_READ,
                Scope.USAGE_READ,
            }
        ),
    }
)
_IN_ORDER = {role: tuple(scope.value for scope in Scope if scope in scopes) for role, scopes in SCOPES.items()}
_AUDIT = {Role.DEVELOPER: View.OWN, Role.REVIEWER: View.DECISIONS}
# A key is not narrowed to its maker's own keys and actions, so these stay with the person.
_NOT_DELEGATED = {Role.DEVELOPER: frozenset({Scope.KEYS_WRITE, Scope.AUDIT_READ})}
# What decides about a proposal, as its log calls it.
DECISIONS = ("proposal.", "write.")


def scopes_of(role: str) -> tuple[str, ...]:
    """The scopes of a role, in the order of their declaration."""
    return _IN_ORDER[Role(role)]


def delegable(role: str) -> frozenset[str]:
    """The scopes that somebody in this role may give to a key."""
    known = Role(role)
    return frozenset(SCOPES[known] - PERSON_ONLY - _NOT_DELEGATED.get(known, frozenset()))


def manages_all_keys(role: str) -> bool:
    """Whether a person in this role may change keys that others own."""
    return Role(role) in (Role.OWNER, Role.ADMIN)


def audit_view(role: str | None) -> View:
    """How much of audit and events a role sees; a key (no role) sees what its own limits leave."""
    return View.ALL if role is None else _AUDIT.get(Role(role), View.ALL)


def who_has(scope: Scope) -> tuple[Role, ...]:
    """The roles that have a scope, the widest first."""
    return tuple(role for role in Role if scope in SCOPES[role])
