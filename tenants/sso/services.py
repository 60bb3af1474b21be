"""Writes of connections: configured, tested, enforced, disabled. Each is one audited change.

Enforcing asks for a successful test of exactly this configuration and for an owner who gets in without it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from gateway.core import clock, crypto, ids
from gateway.core.errors import Conflict
from gateway.core.journal import Actor, Change, record
from tenants.context import scope
from tenants.epoch import next_version
from tenants.models import MembershipRow, User
from tenants.sso import errors, selectors
from tenants.sso.configuration import default_role as checked_role
from tenants.sso.models import DomainRow, SsoConnectionRow
from tenants.sso.types import Connection
from tenants.types import OrgRef

State = SsoConnectionRow.State


def configure(
    ref: OrgRef,
    *,
    kind: str,
    settings: dict[str, Any],
    default_role: str,
    client_secret: str | None = None,
    actor: Actor,
    request_id: UUID | None = None,
) -> Connection:
    """Set the connection up, or change it; ``settings`` come from ``configuration``. A change must be tested again.

    Without ``client_secret`` the stored one stays. Raises BadRequest ``sso_secret_missing``, Conflict ``sso_enforced``.
    """
    checked_role(default_role)
    with transaction.atomic():
        row = _row(ref) or SsoConnectionRow(organization_id=ref.id)
        if row.state == State.ENFORCED:
            raise errors.enforced("a change could lock everybody out")
        _put_secret(row, kind, client_secret)
        row.kind, row.settings, row.default_role = kind, settings, default_role
        config_hash = _config_hash(row)
        if config_hash != row.config_hash or row.state == State.DISABLED:
            row.config_hash, row.state = config_hash, State.DRAFT
        _save(row)
        detail = {"kind": kind, "default_role": default_role, "state": row.state}
        record(Change("sso.configured", actor, _public(row), request_id=request_id, detail=detail))
    return selectors.to_connection(row)


def enforce(
    ref: OrgRef,
    *,
    break_glass_user_id: UUID,
    require_mfa: bool = False,
    actor: Actor,
    request_id: UUID | None = None,
) -> Connection:
    """From now on members come by single sign-on, except the break-glass owner. Other sessions lose their access on
    every worker within a second.

    Raises Conflict ``sso_not_tested``, ``no_verified_domain`` or ``break_glass_invalid``.
    """
    with transaction.atomic():
        row = _existing(ref)
        if row.state == State.DISABLED or not row.config_hash or row.tested_config_hash != row.config_hash:
            raise Conflict(
                "This configuration was not tested successfully; run POST /v1/sso/test first.", code="sso_not_tested"
            )
        if not DomainRow.objects.filter(organization_id=ref.id, verified_at__isnull=False).exists():
            raise Conflict("Nobody could sign in: no domain is verified.", code="no_verified_domain")
        _check_break_glass(ref, break_glass_user_id, require_mfa=require_mfa)
        row.break_glass_user_id, row.state = break_glass_user_id, State.ENFORCED
        _save(row)
        detail = {"break_glass_user_id": ids.public("usr", break_glass_user_id), "require_mfa": require_mfa}
        record(Change("sso.enforced", actor, _public(row), request_id=request_id, detail=detail))
    return selectors.to_connection(row)


def disable(ref: OrgRef, *, actor: Actor, request_id: UUID | None = None) -> Connection:
    """Nobody signs in by single sign-on any more; passwords count again. Sessions that are open stay."""
    with transaction.atomic():
        row = _existing(ref)
        before = row.state
        row.state = State.DISABLED
        _save(row)
        record(Change("sso.disabled", actor, _public(row), request_id=request_id, detail={"before": before}))
    return selectors.to_connection(row)


def store_test(
    ref: OrgRef,
    *,
    config_hash: str,
    by: UUID,
    email: str | None = None,
    claims: dict[str, Any] | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """Keep what a test found. ``error`` is a code and its words; without one the test has succeeded."""
    with scope(ref), transaction.atomic():
        row = _existing(ref)
        now = clock.now()
        row.last_test = {
            "ok": error is None,
            "at": now.isoformat(),
            "by": ids.public("usr", by),
            "email": email,
            "claims": claims or {},
            "error": {"code": error[0], "detail": error[1]} if error else None,
            "config_hash": config_hash,
        }
        if error is None and config_hash == row.config_hash:
            row.tested_config_hash, row.tested_at, row.tested_by_user_id = config_hash, now, by
            row.state = State.ENFORCED if row.state == State.ENFORCED else State.TESTED
        _save(row)
        detail = {"ok": error is None, "code": error[0] if error else None}
        record(Change("sso.tested", Actor("user", ids.public("usr", by)), _public(row), detail=detail))


def refuse_break_glass(ref: OrgRef, user_id: UUID, what: str) -> None:
    """Raise Conflict when this person is the enforced connection's break-glass owner: ``what`` would lock everybody out
    the day the identity provider fails."""
    row = SsoConnectionRow.objects.filter(
        organization_id=ref.id, break_glass_user_id=user_id, state=State.ENFORCED
    ).exists()
    if row:
        raise Conflict(
            f"This is the break-glass owner of single sign-on; name another one before {what}.",
            code="break_glass_owner",
        )


def _check_break_glass(ref: OrgRef, user_id: UUID, *, require_mfa: bool) -> None:
    owns = MembershipRow.objects.filter(
        organization_id=ref.id, user_id=user_id, role=MembershipRow.Role.OWNER, removed_at=None
    ).exists()
    user = User.objects.filter(pk=user_id, is_active=True).first()
    problem = None
    if not owns or user is None:
        problem = "is not an owner of this organization"
    elif not user.has_usable_password():
        problem = "has no password"
    elif (
        require_mfa
        and not Authenticator.objects.filter(
            user_id=user_id, type__in=(Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
        ).exists()
    ):
        problem = "has no second factor"
    if problem:
        raise Conflict(f"The break-glass owner {problem}.", code="break_glass_invalid")


def _put_secret(row: SsoConnectionRow, kind: str, client_secret: str | None) -> None:
    if kind != SsoConnectionRow.Kind.OIDC:
        row.client_secret_ciphertext, row.client_secret_kid = None, ""
    elif client_secret is not None:
        given = crypto.Secret(client_secret)
        if row.client_secret_ciphertext is not None and given == _stored_secret(row):
            return
        row.client_secret_ciphertext, row.client_secret_kid = crypto.seal(given, *selectors.sealed_at(row.pk))
    elif row.client_secret_ciphertext is None:
        raise errors.invalid("oidc/client_secret", "is missing", code="sso_secret_missing")


def _stored_secret(row: SsoConnectionRow) -> crypto.Secret:
    return crypto.unseal(
        bytes(row.client_secret_ciphertext or b""), row.client_secret_kid, *selectors.sealed_at(row.pk)
    )


def _config_hash(row: SsoConnectionRow) -> str:
    """Of everything that a test proves. A re-sealed secret is another one as long as nobody has shown otherwise."""
    plain = json.dumps([row.kind, row.settings], sort_keys=True).encode()
    sealed = bytes(row.client_secret_ciphertext or b"")
    return hashlib.sha256(plain + b"\0" + sealed).hexdigest()


def _row(ref: OrgRef) -> SsoConnectionRow | None:
    rows = SsoConnectionRow.objects.select_for_update(of=("self",)).select_related("organization")
    return rows.filter(organization_id=ref.id).first()


def _existing(ref: OrgRef) -> SsoConnectionRow:
    row = _row(ref)
    if row is None:
        raise errors.not_configured()
    return row


def _save(row: SsoConnectionRow) -> None:
    row.updated_at, row.version = clock.now(), next_version()
    row.save()


def _public(row: SsoConnectionRow) -> str:
    return ids.public("sso", row.pk)
