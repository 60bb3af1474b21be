"""Writes to API keys: create, change, rotate with a time of grace, end or extend that, revoke. A secret is in the
answer once and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.endpoint import Scope
from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound
from gateway.core.journal import Actor, Change, record
from tenants import restrictions, selectors, tokens
from tenants.context import current
from tenants.directory import next_version
from tenants.models import ApiKeyRow
from tenants.people import roles
from tenants.rules import KeyBudget, KeyRate
from tenants.types import ApiKey

GRACE = timedelta(hours=24)
GRACES_S = (0, 3_600, 86_400, 604_800)
# However often its grace is extended, an old secret ends so long after the rotation.
MAX_GRACE = timedelta(days=30)
MAX_KEYS = 1_000
# What a change may set: each as it is called on the key, and the column that holds it.
_COLUMNS = {
    **{name: name for name in restrictions.NAMES},
    **{name: name for name in ("name", "expires_at", "on_disconnect", "cache_s", "team_ids")},
    "models": "allowed_models",
}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and, this once, its secret."""

    key: ApiKey
    secret: str = field(repr=False)


def create(
    *,
    name: str,
    mode: str,
    actor: Actor,
    owner_user_id: UUID | None = None,
    request_id: UUID | None = None,
    **limits: Any,
) -> NewKey:
    """A new key of the organization in scope; ``limits`` are fields of ``ApiKey`` that narrow it, and its
    ``on_disconnect`` and ``cache_s``. Raises BadRequest, naming the field, for what could never work."""
    columns = _checked(limits)
    ref = current()
    public = tokens.new_public()
    secret = tokens.new_secret(mode, public)
    with transaction.atomic():
        version = next_version()
        if ApiKeyRow.objects.filter(organization_id=ref.id, revoked_at=None).count() >= MAX_KEYS:
            raise Conflict(f"An organization has at most {MAX_KEYS} keys; revoke some first.", code="too_many_keys")
        row = ApiKeyRow.objects.create(
            organization_id=ref.id, public=public, name=name, mode=mode, secret_sha256=tokens.sha256(secret),
            created_by=str(actor), version=version, owner_user_id=owner_user_id, **columns,
        )  # fmt: skip
        key = selectors.to_key(row)
        detail = {"name": name, "mode": mode, "scopes": key.scopes, "personas": key.persona_ids}
        detail |= {one: columns[column] for one, column in _COLUMNS.items() if columns.get(column) is not None}
        record(Change("key.created", actor, key.public_id, request_id=request_id, detail=detail))
    return NewKey(key, secret)


def change(key_id: UUID, changes: Mapping[str, Any], *, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """Set some fields of a key (``None``: no such limit), on every worker within a second. What is already so changes
    nothing. Raises BadRequest, NotFound, Conflict for a revoked key."""
    columns = _checked(changes)
    with transaction.atomic():
        row = _locked(key_id)
        before = {column: getattr(row, column) for column in columns}
        changed = [column for column, value in columns.items() if before[column] != value]
        if changed:
            for column in changed:
                setattr(row, column, columns[column])
            row.version = next_version()
            row.save(update_fields=[*changed, "version"])
            fields = {one: column for one, column in _COLUMNS.items() if column in changed}
            detail = {
                "before": {one: before[column] for one, column in fields.items()},
                "after": {one: columns[column] for one, column in fields.items()},
            }
            record(Change("key.changed", actor, ids.public("key", row.id), request_id=request_id, detail=detail))
    return selectors.to_key(row)


def check(limits: Mapping[str, Any]) -> None:
    """Raise BadRequest for fields that ``create`` would refuse, without making anything."""
    _checked(limits)


def in_team(team_id: str) -> int:
    """How many keys of the organization in scope name this team, revoked ones too."""
    return ApiKeyRow.objects.filter(organization_id=current().id, team_ids__contains=[team_id]).count()


def leave_team(team_id: str, *, actor: Actor, request_id: UUID | None = None) -> int:
    """Take a team out of every key of the organization in scope, each with its own audit entry, on every worker within
    a second; how many. Runs in the caller's transaction."""
    rows = list(
        ApiKeyRow.objects.select_for_update()
        .filter(organization_id=current().id, team_ids__contains=[team_id])
        .order_by("id")
    )
    version = next_version() if rows else 0
    for row in rows:
        before = list(row.team_ids or ())
        row.team_ids = [one for one in before if one != team_id] or None
        row.version = version
        row.save(update_fields=["team_ids", "version"])
        detail = {"before": {"team_ids": before}, "after": {"team_ids": row.team_ids}}
        record(Change("key.changed", actor, ids.public("key", row.id), request_id=request_id, detail=detail))
    return len(rows)


def rotate(
    key_id: UUID,
    *,
    actor: Actor,
    grace: timedelta = GRACE,
    force: bool = False,
    request_id: UUID | None = None,
) -> NewKey:
    """A new secret for the same key; the old one works for ``grace`` more. Raises Conflict ``rotation_running`` while
    an older one is in its grace; ``force`` ends that one at once."""
    with transaction.atomic():
        row = _locked(key_id)
        now = clock.now()
        running = row.previous_valid_until if row.previous_valid_until and row.previous_valid_until > now else None
        if running is not None and not force:
            raise Conflict(
                f"The last secret still works until {running:%Y-%m-%d %H:%M} UTC. End its grace first, or send force.",
                code="rotation_running",
                extra={"old_secret_valid_until": running.isoformat()},
            )
        secret = tokens.new_secret(row.mode, row.public)
        row.previous_sha256, row.secret_sha256 = row.secret_sha256, tokens.sha256(secret)
        row.rotated_at, row.previous_valid_until = now, now + grace
        row.version = next_version()
        row.save()
        key = selectors.to_key(row)
        detail = {"old_valid_until": row.previous_valid_until.isoformat()}
        record(Change("key.rotated", actor, key.public_id, request_id=request_id, detail=detail))
    return NewKey(key, secret)


def end_grace(key_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """End the old secret's time of grace now, on every worker within a second. Without one nothing changes."""
    with transaction.atomic():
        row = _locked(key_id)
        now = clock.now()
        if row.previous_valid_until is not None and row.previous_valid_until > now:
            row.previous_valid_until, row.version = now, next_version()
            row.save(update_fields=["previous_valid_until", "version"])
            record(Change("key.grace_ended", actor, ids.public("key", row.id), request_id=request_id))
    return selectors.to_key(row)


def extend_grace(key_id: UUID, *, grace: timedelta, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """Let the old secret work for ``grace`` from now, if that is longer than it would anyway. Raises Conflict
    ``no_grace_running`` when it has ended, ``grace_too_long`` beyond ``MAX_GRACE`` after the rotation."""
    with transaction.atomic():
        row = _locked(key_id)
        now, until = clock.now(), row.previous_valid_until
        if until is None or until <= now or row.rotated_at is None:
            raise Conflict("No old secret of this key still works.", code="no_grace_running")
        if now + grace > row.rotated_at + MAX_GRACE:
            latest = row.rotated_at + MAX_GRACE
            raise Conflict(
                f"An old secret works at most {MAX_GRACE.days} days, this one until {latest:%Y-%m-%d %H:%M} UTC.",
                code="grace_too_long",
                extra={"latest": latest.isoformat()},
            )
        if now + grace > until:
            row.previous_valid_until, row.version = now + grace, next_version()
            row.save(update_fields=["previous_valid_until", "version"])
            detail = {"before": until.isoformat(), "after": row.previous_valid_until.isoformat()}
            record(Change("key.grace_extended", actor, ids.public("key", row.id), request_id=request_id, detail=detail))
    return selectors.to_key(row)


def revoke(key_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """End the key, its grace secret too, on every worker within a second. Revoking twice is the same as once."""
    with transaction.atomic():
        row = _locked(key_id, revoked_too=True)
        if row.revoked_at is None:
            row.revoked_at = clock.now()
            row.version = row.revoked_version = next_version()
            row.save(update_fields=["revoked_at", "revoked_version", "version"])
            key = selectors.to_key(row)
            record(Change("key.revoked", actor, key.public_id, request_id=request_id))
    return selectors.to_key(row)


def touch(used: dict[UUID, datetime]) -> None:
    """Record when keys were last used: one statement for all of a flush, never one per request."""
    if not used:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.tenants_api_key k SET last_used_at = u.at"
            " FROM unnest(%s::uuid[], %s::timestamptz[]) AS u(id, at)"
            " WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)",
            [list(used), list(used.values())],
        )


def _locked(key_id: UUID, *, revoked_too: bool = False) -> ApiKeyRow:
    row = ApiKeyRow.objects.select_for_update().filter(organization_id=current().id, pk=key_id).first()
    if row is None:
        raise NotFound("There is no such key.", code="key_not_found")
    if row.revoked_at is not None and not revoked_too:
        raise Conflict("This key is revoked; make a new one.", code="key_revoked")
    return row


def _checked(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The columns for these fields, uniformly written."""
    columns: dict[str, Any] = {}
    for name, value in limits.items():
        written = value
        if name == "scopes":
            _check_scopes(value)
        elif name == "expires_at":
            _check_expiry(value)
        if isinstance(value, KeyRate | KeyBudget):
            written = asdict(value)
        elif name == "team_ids":
            written = sorted(set(value or ())) or None
        elif name in restrictions.NAMES and name not in ("rate", "budget"):
            written = restrictions.uniform(name, value)
        columns[_COLUMNS[name]] = written
    return columns


def _check_scopes(scopes: Sequence[str] | None) -> None:
    wanted = set(scopes or ())
    unknown, personal = sorted(wanted - set(Scope)), sorted(wanted & roles.PERSON_ONLY)
    if unknown:
        message = f"unknown: {', '.join(unknown)}; choose from {', '.join(roles.KEY_SCOPES)}"
        raise BadRequest(
            f"scopes: {message}.", code="unknown_scope", problems=(FieldProblem("#/scopes", "unknown_scope", message),)
        )
    if personal:
        message = f"only a signed-in person can have {', '.join(personal)}, never a key"
        problem = FieldProblem("#/scopes", "scope_not_for_keys", message)
        raise BadRequest(f"scopes: {message}.", code="scope_not_for_keys", problems=(problem,))


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= clock.now():
        problem = FieldProblem("#/expires_at", "in_the_past", "must be in the future")
        raise BadRequest("expires_at must be in the future.", problems=(problem,))
