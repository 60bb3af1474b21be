"""Writes of personas: every publish is a new immutable version."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock
from gateway.core.errors import BadRequest
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.knowledge.personas import lint, selectors
from gateway.knowledge.personas.defaults import DEFAULT_PERSONA_ID, default_cartridge
from gateway.knowledge.personas.errors import (
    InvalidCartridge,
    PersonaArchived,
    PersonaExists,
    PersonaLimitReached,
    PersonaNotFound,
    VersionConflict,
)
from gateway.knowledge.personas.models import PersonaRow, PersonaVersionRow
from gateway.knowledge.personas.types import Finding, Persona, PersonaVersion
from tenants.context import current


def create(raw: dict[str, Any], *, limit: int | None, actor: Actor, request_id: UUID | None = None) -> PersonaVersion:
    """Create a persona and publish its first version; an archived one of the same id comes back with its next version.

    ``limit`` is the plan's number of personas (None: no limit). Raises InvalidCartridge, PersonaExists,
    PersonaLimitReached.
    """
    _check(raw)
    with transaction.atomic():
        _one_at_a_time()
        row = PersonaRow.objects.select_for_update().filter(slug=raw["id"]).first()
        if row is not None and row.archived_at is None:
            raise PersonaExists(f"There is a persona {raw['id']!r} already.", extra={"version": row.current_version})
        if limit is not None and selectors.count() >= limit:
            raise PersonaLimitReached(limit)
        if row is None:
            row = PersonaRow.objects.create(slug=raw["id"], current_version=0)
        row.archived_at = None
        return _publish(row, raw, "persona.created", actor, request_id)


def publish(
    persona_id: str,
    raw: dict[str, Any],
    *,
    actor: Actor,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> PersonaVersion:
    """Publish the next version. With ``expected_version``, only if that is still the current one.

    Raises InvalidCartridge, PersonaNotFound, PersonaArchived, and VersionConflict naming the version that came first.
    """
    _check(raw)
    if raw["id"] != persona_id:
        message = f"must be {persona_id!r}, the persona being published"
        raise InvalidCartridge(
            [Finding("/id", "id-matches", "error", message, "A new id is a new persona: create it.")]
        )
    with transaction.atomic():
        row = _locked(persona_id)
        if row.archived_at is not None:
            raise PersonaArchived(f"Persona {persona_id!r} was archived.")
        if expected_version is not None and expected_version != row.current_version:
            theirs = PersonaVersionRow.objects.get(persona=row, version=row.current_version)
            raise VersionConflict(
                f"Version {row.current_version} was published in the meantime, by {theirs.created_by}.",
                extra={
                    "current_version": row.current_version,
                    "digest": theirs.digest,
                    "published_at": theirs.published_at.isoformat(),
                    "published_by": theirs.created_by,
                },
            )
        return _publish(row, raw, "persona.published", actor, request_id)


def archive(persona_id: str, *, actor: Actor, request_id: UUID | None = None) -> Persona:
    """Take a persona out of use; its versions stay. Archiving twice is the same as once. Raises PersonaNotFound."""
    with transaction.atomic():
        _one_at_a_time()
        row = _locked(persona_id)
        if row.archived_at is None:
            row.archived_at = clock.now()
            row.save(update_fields=["archived_at"])
            _record("persona.archived", row, None, actor, request_id)
        return selectors.to_persona(row)


def ensure_default(*, org_name: str, actor: Actor = SYSTEM) -> Persona:
    """The organization's first persona, created when it has never had one. A provisioning step: safe to repeat."""
    with transaction.atomic():
        _one_at_a_time()
        if not PersonaRow.objects.exists():
            create(default_cartridge(org_name), limit=None, actor=actor)
        row = PersonaRow.objects.filter(slug=DEFAULT_PERSONA_ID).first() or PersonaRow.objects.earliest("id")
        return selectors.to_persona(row)


def digest(raw: dict[str, Any]) -> str:
    """``sha256:…`` over the canonical JSON of a document: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _check(raw: Any) -> None:
    if not isinstance(raw, dict):
        raise BadRequest("cartridge must be a Cartridge v1.1 document.")
    if wrong := lint.errors(lint.check(raw)):
        raise InvalidCartridge(wrong)


def _one_at_a_time() -> None:
    """Serialize what changes the number of personas in this organization, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"personas:{current().id}"])


def _locked(persona_id: str) -> PersonaRow:
    row = PersonaRow.objects.select_for_update().filter(slug=persona_id).first() if persona_id.isprintable() else None
    if row is None:
        raise PersonaNotFound(f"There is no persona {persona_id!r}.")
    return row


def _publish(
    row: PersonaRow, raw: dict[str, Any], action: str, actor: Actor, request_id: UUID | None
) -> PersonaVersion:
    row.current_version += 1
    row.save(update_fields=["current_version", "archived_at"])
    version = PersonaVersionRow.objects.create(
        persona=row, version=row.current_version, cartridge=raw, digest=digest(raw), created_by=str(actor)
    )
    _record(action, row, version, actor, request_id)
    return selectors.load(row.slug, row.current_version)


def _record(
    action: str, row: PersonaRow, version: PersonaVersionRow | None, actor: Actor, request_id: UUID | None
) -> None:
    facts = {
        "persona_version": row.current_version,
        "digest": version.digest if version else None,
        "change": action.partition(".")[2],
    }
    change = Change(action, actor, f"persona:{row.slug}", persona_id=row.slug, request_id=request_id, detail=facts)
    record(change, Event("persona.updated", facts, persona_id=row.slug))
