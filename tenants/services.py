"""Writes to the directory: organizations and what the operator may change about them. Each is audited in the
organization's own log."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound
from gateway.core.journal import Actor, Change, record
from tenants import plans, selectors
from tenants.context import scope
from tenants.directory import next_version
from tenants.models import OrganizationRow, User
from tenants.people import members
from tenants.rules import LimitRule, rule_of
from tenants.types import Organization, OrgRef

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
RESERVED = frozenset(
    [
        "admin",
        "api",
        "app",
        "auth",
        "billing",
        "console",
        "docs",
        "health",
        "help",
        "ikiro",
        "internal",
        "login",
        "mcp",
        "null",
        "public",
        "root",
        "static",
        "status",
        "support",
        "system",
        "template",
        "tenant",
        "undefined",
        "v1",
        "www",
    ]
)


def organization_create(
    *,
    slug: str,
    name: str,
    plan: str = "free",
    flags: dict[str, Any] | None = None,
    created_by_user_id: UUID | None = None,
) -> Organization:
    """Register an organization in state ``provisioning``; ``provisioning.send`` or ``provisioning.run`` then builds it.

    Raises BadRequest for a bad or reserved name, Conflict for a taken one.
    """
    check_slug(slug)
    if not 1 <= len(name.strip()) <= 80:
        raise BadRequest("An organization's name has 1 to 80 characters.", code="invalid_name")
    plans.get(plan)
    org_id = ids.uuid7()
    try:
        with transaction.atomic():
            row = OrganizationRow(
                id=org_id, schema_name=f"t_{ids.base32(org_id)}", slug=slug, name=name.strip(), plan=plan,
                flags=flags or {}, version=next_version(), created_by_user_id=created_by_user_id,
            )  # fmt: skip
            row.save()
    except IntegrityError:
        raise Conflict(f"The name {slug!r} is taken.", code="slug_taken") from None
    return selectors.to_organization(row)


def check_slug(slug: str) -> None:
    """Raise BadRequest unless ``slug`` may name an organization: 2 to 40 of a-z, 0-9 and single hyphens, not
    reserved."""
    if not 2 <= len(slug) <= 40 or not _SLUG.fullmatch(slug):
        message = "2 to 40 characters: a-z, 0-9 and single hyphens, starting with a letter"
        raise BadRequest(
            f"{slug!r} cannot name an organization: {message}.",
            code="invalid_slug",
            problems=(FieldProblem("#/slug", "invalid_slug", message),),
        )
    if slug in RESERVED:
        raise BadRequest(f"{slug!r} is reserved.", code="slug_reserved")


def plan_set(ref: OrgRef, plan: str, *, actor: Actor, request_id: UUID | None = None) -> Organization:
    """Put the organization on another plan at once. Its audit entry is the plan's history."""
    plans.get(plan)
    return _change(ref, "organization.plan_changed", actor, {"plan": plan}, request_id=request_id)


def limits_set(ref: OrgRef, limits: dict[str, int | None], *, actor: Actor) -> Organization:
    """Override plan limits (``calls``, ``personas``, ``memories``, ``rate``, ``rate_window_s``,
    ``memory_operations``); an empty dict returns to the plan's."""
    for name, value in limits.items():
        if name not in plans.OVERRIDABLE:
            raise BadRequest(
                f"{name!r} is not a limit; choose from {', '.join(plans.OVERRIDABLE)}.", code="unknown_limit"
            )
        if (value is not None and value < 0) or (value is None and name.startswith("rate")):
            raise BadRequest(f"{name}={value} must be a number of at least 0.", code="invalid_limit")
    return _change(ref, "organization.limits_changed", actor, {"limits": limits})


def flags_set(ref: OrgRef, flags: dict[str, Any], *, actor: Actor) -> Organization:
    """Set flag overrides (checked by the caller against the flag catalogue); ``None`` removes one."""
    with scope(ref), transaction.atomic():
        row = _locked(ref)
        for key, value in flags.items():
            detail = {"before": row.flags.get(key), "after": value, "reason": "", "override": True}
            record(Change("flag.changed", actor, key, detail=detail))
        merged = {key: value for key, value in {**row.flags, **flags}.items() if value is not None}
        return _change(ref, "organization.flags_changed", actor, {"flags": merged})


def rules_set(ref: OrgRef, rules: Sequence[LimitRule], *, actor: Actor, request_id: UUID | None = None) -> Organization:
    """Replace the organization's own limits (checked by the caller); every worker knows within a second."""
    stored = [rule.stored() for rule in rules]
    return _change(ref, "organization.rules_changed", actor, {"rules": stored}, request_id=request_id)


def rules_change(
    ref: OrgRef,
    change: Callable[[tuple[LimitRule, ...]], Sequence[LimitRule]],
    *,
    actor: Actor,
    request_id: UUID | None = None,
) -> Organization:
    """Replace the organization's own limits by what ``change`` makes of them; of two at once, one waits."""
    with transaction.atomic():
        row = _locked(ref)
        rules = change(tuple(rule_of(stored) for stored in row.rules or ()))
        return rules_set(ref, rules, actor=actor, request_id=request_id)


def settings_change(ref: OrgRef, *, actor: Actor, request_id: UUID | None = None, **parts: Any) -> Organization:
    """Set some of ``OrgSettings`` (checked by the caller); ``None`` returns one to its default."""
    with transaction.atomic():
        row = _locked(ref)
        merged = {name: value for name, value in {**(row.settings or {}), **parts}.items() if value is not None}
        return _change(ref, "organization.settings_changed", actor, {"settings": merged}, request_id=request_id)


def suspend(ref: OrgRef, *, actor: Actor) -> Organization:
    """Refuse all its keys with 403 ``org_suspended``, on every worker within a second."""
    return _change(ref, "organization.suspended", actor, {"suspended_at": clock.now()})


def resume(ref: OrgRef, *, actor: Actor) -> Organization:
    """Undo ``suspend``."""
    return _change(ref, "organization.resumed", actor, {"suspended_at": None})


def member_add(ref: OrgRef, *, email: str, password: str, role: str) -> UUID:
    """Make sure that this person exists and belongs to the organization; returns the user id. The password is set on
    creation only. The operator vouches for the address, so nobody is asked to prove it."""
    with transaction.atomic():
        user = User.objects.filter(email=email.lower()).first() or User.objects.create_user(email, password)
        EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
        members.join(ref, user.id, role)
    return user.id


def organization_touch(ref: OrgRef) -> None:
    """Give the organization the next version, inside the transaction of a change that belongs to it: every worker then
    lets go of what it holds of that organization, within a second. Changes of one organization come one at a time."""
    row = _locked(ref)
    row.version = next_version()
    row.save(update_fields=["version"])


def _change(
    ref: OrgRef, action: str, actor: Actor, values: dict[str, Any], *, request_id: UUID | None = None
) -> Organization:
    with scope(ref), transaction.atomic():
        row = _locked(ref)
        before = {name: str(getattr(row, name)) for name in values}
        for name, value in values.items():
            setattr(row, name, value)
        row.version = next_version()
        row.save(update_fields=[*values, "version"])
        after = {name: str(value) for name, value in values.items()}
        detail = {"before": before, "after": after}
        record(Change(action, actor, ref.public_id, request_id=request_id, detail=detail))
    return selectors.to_organization(row)


def _locked(ref: OrgRef) -> OrganizationRow:
    row: OrganizationRow | None = OrganizationRow.objects.select_for_update().filter(pk=ref.id).first()
    if row is None:
        raise NotFound("There is no such organization.", code="organization_not_found")
    if row.state != OrganizationRow.State.READY:
        raise Conflict(f"The organization is {row.state}; it must be ready first.", code="org_not_ready")
    return row
