"""Writes to API keys: create, rotate with a time of grace, end that early, revoke. The secret is in the answer once and
nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.endpoint import Scope
from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound
from gateway.core.journal import Actor, Change, record
from tenants import selectors, tokens
from tenants.context import current
from tenants.directory import next_version
from tenants.models import ApiKeyRow
from tenants.people import roles
from tenants.types import ApiKey

GRACE = timedelta(hours=24)
GRACES_S = (0, 3_600, 86_400, 604_800)
MAX_KEYS = 1_000


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
    persona_ids: Sequence[str] | None = None,
    subject_ids: Sequence[str] | None = None,
    memory_scopes: Sequence[str] | None = None,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    owner_user_id: UUID | None = None,
    request_id: UUID | None = None,
) -> NewKey:
    """A new key of the organization in scope. Raises BadRequest for a scope that is unknown or only for people, or an
    expiry in the past."""
    _check(scopes, expires_at)
    ref = current()
    public = tokens.new_public()
    secret = tokens.new_secret(mode, public)
    with transaction.atomic():
        version = next_version()
        if ApiKeyRow.objects.filter(organization_id=ref.id, revoked_at=None).count() >= MAX_KEYS:
            raise Conflict(f"An organization has at most {MAX_KEYS} keys; revoke some first.", code="too_many_keys")
        row = ApiKeyRow.objects.create(
            organization_id=ref.id, public=public, name=name, mode=mode, secret_sha256=tokens.sha256(secret),
            persona_ids=_plain(persona_ids), subject_ids=_plain(subject_ids), memory_scopes=_plain(memory_scopes),
            scopes=_plain(scopes), expires_at=expires_at, created_by=str(actor), version=version,
            owner_user_id=owner_user_id,
        )  # fmt: skip
        key = selectors.to_key(row)
        detail = {"name": name, "mode": mode, "scopes": key.scopes, "personas": key.persona_ids}
        record(Change("key.created", actor, key.public_id, request_id=request_id, detail=detail))
    return NewKey(key, secret)


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


def revoke(key_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> ApiKey:
    """End the key, its grace secret too, on every worker within a second. Revoking twice is the same as once."""
    with transaction.atomic():
        row = _locked(key_id, revoked_too=True)
        if row.revoked_at is None:
            row.revoked_at = clock.now()
            row.version = next_version()
            row.save(update_fields=["revoked_at", "version"])
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


def _check(scopes: Sequence[str] | None, expires_at: datetime | None) -> None:
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
    if expires_at is not None and expires_at <= clock.now():
        problem = FieldProblem("#/expires_at", "in_the_past", "must be in the future")
        raise BadRequest("expires_at must be in the future.", problems=(problem,))


def _plain(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else sorted(set(values))
