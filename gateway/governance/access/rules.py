"""The rules, and the one decision made of them: somebody must permit, nobody may deny."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.endpoint import Scope
from gateway.core.errors import Forbidden
from gateway.governance.access.types import ACTIONS, ALLOWED, Decision, Resource
from tenants.people import roles
from tenants.people.roles import Role
from tenants.types import Principal

_NOTHING = Resource()
_KEY_CHANGES = ("keys.rotate", "keys.revoke")
_MEMBER_CHANGES = ("members.invite", "members.change", "members.remove")


def allowed(principal: Principal, action: str, resource: Resource | None = None) -> Decision:
    """Whether this caller may do this to that. Without a resource: whether there is any they may do it to."""
    decision = by_scope(principal, ACTIONS[action])
    if not decision.allowed:
        return decision
    for rule in _DENIALS:
        denied = rule(principal, action, resource or _NOTHING)
        if denied is not None:
            return denied
    return ALLOWED


def require(principal: Principal, action: str, resource: Resource | None = None) -> None:
    """Raise Forbidden, with the reason and who can help, unless ``allowed``."""
    _refuse(allowed(principal, action, resource), ACTIONS[action], principal)


def require_scope(principal: Principal, scope: Scope) -> None:
    """Raise Forbidden unless the caller has the scope."""
    held = principal.grant.scopes
    if scope not in roles.PERSON_ONLY and (held is None or scope in held):
        return  # nearly every request ends here
    _refuse(by_scope(principal, scope), scope, principal)


def by_scope(principal: Principal, scope: Scope) -> Decision:
    """What scopes alone say: a person has those of their role, a key those it was given."""
    held = principal.grant.scopes
    if principal.seat is not None:
        if held is not None and scope in held:
            return ALLOWED
        why = f"Your role, {principal.role}, lacks {scope.value}. {helper(scope)}"
        return Decision(False, code="scope_missing", why=why)
    if scope in roles.PERSON_ONLY:
        why = f"Only a signed-in person can have {scope.value}, never a {principal.grant.kind}."
        return Decision(False, code="user_token_required", why=why)
    if held is None or scope in held:
        return ALLOWED
    kind = principal.grant.kind
    why = f"This {kind} lacks the scope {scope.value}; use another {kind} or make one with it."
    return Decision(False, code="scope_missing", why=why)


def permissions(principal: Principal) -> dict[str, Decision]:
    """Every action with its decision."""
    return {action: allowed(principal, action) for action in ACTIONS}


def helper(scope: Scope) -> str:
    """Whom to ask for something that needs this scope."""
    return "Ask an admin or an owner." if Role.ADMIN in roles.who_has(scope) else "Ask an owner."


def _refuse(decision: Decision, scope: Scope, principal: Principal) -> None:
    if decision.allowed:
        return
    extra = {"scope": scope.value}
    if principal.role is not None:
        extra["role"] = principal.role
    raise Forbidden(decision.why, code=decision.code, extra=extra)


def _keys_of_others(principal: Principal, action: str, resource: Resource) -> Decision | None:
    if action not in _KEY_CHANGES or resource is _NOTHING or principal.role is None:
        return None
    if roles.manages_all_keys(principal.role) or resource.owner_user_id == principal.user_id:
        return None
    return Decision(False, code="key_not_yours", why="This key belongs to somebody else. Ask an admin or an owner.")


def _owners(principal: Principal, action: str, resource: Resource) -> Decision | None:
    """Only an owner makes, changes or removes an owner."""
    if action not in _MEMBER_CHANGES or resource.role != Role.OWNER or principal.role == Role.OWNER:
        return None
    why = "Only an owner can do this to, or make, an owner. Ask an owner."
    return Decision(False, code="owner_required", why=why)


_DENIALS: tuple[Callable[[Principal, str, Resource], Decision | None], ...] = (_keys_of_others, _owners)
