"""Writes of personas: every publish is a new immutable version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock
from gateway.core.errors import BadRequest
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.knowledge.personas import diff, gates, lint, selectors
from gateway.knowledge.personas.defaults import DEFAULT_PERSONA_ID, default_cartridge
from gateway.knowledge.personas.errors import (
    InvalidCartridge,
    PersonaArchived,
    PersonaExists,
    PersonaLimitReached,
    PersonaNotFound,
    VersionConflict,
)
from gateway.knowledge.personas.formats import digest
from gateway.knowledge.personas.models import PersonaRow, PersonaVersionRow
from gateway.knowledge.personas.types import Persona, PersonaVersion
from tenants.context import current

# How many changed fields a refusal lists.
MAX_TOLD = 50


def create(
    raw: dict[str, Any],
    *,
    limit: int | None,
    actor: Actor,
    request_id: UUID | None = None,
    made_from: str = "",
) -> PersonaVersion:
    """Create a persona and publish its first version; an archived one of the same id comes back with its next version.

    ``limit`` is the plan's number of personas (None: no limit). Raises InvalidCartridge, PersonaExists,
    PersonaLimitReached, and what a gate raises.
    """
    checked(raw)
    with transaction.atomic():
        one_at_a_time()
        row = PersonaRow.objects.select_for_update().filter(slug=raw["id"]).first()
        if row is not None and row.archived_at is None:
            raise PersonaExists(f"There is a persona {raw['id']!r} already.", extra={"version": row.current_version})
        make_room(limit)
        gates.require(raw["id"], digest(raw))
        row = row or PersonaRow.objects.create(slug=raw["id"], current_version=0)
        row.archived_at = None
        return publish_row(row, raw, "persona.created", actor=actor, request_id=request_id, made_from=made_from)


def publish(
    persona_id: str,
    raw: dict[str, Any],
    *,
    actor: Actor,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> PersonaVersion:
    """Publish the next version. With ``expected_version``, only if that is still the current one. The current version's
    document again changes nothing: the answer is that version.

    Raises InvalidCartridge, PersonaNotFound, PersonaArchived, VersionConflict with what changed in between, and what a
    gate raises.
    """
    checked(raw, persona_id)
    with transaction.atomic():
        row = locked(persona_id)
        expect(row, expected_version)
        current = selectors.load(persona_id)
        if digest(raw) == current.digest:
            return current
        gates.require(persona_id, digest(raw))
        return publish_row(row, raw, "persona.published", actor=actor, request_id=request_id)


def roll_back(
    persona_id: str,
    to_version: int,
    *,
    actor: Actor,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> PersonaVersion:
    """Publish an earlier version's document again, as the next version. It was published once, so it is not linted:
    a rule that came later must not stand between an organization and what worked.

    Raises PersonaNotFound, PersonaVersionNotFound, PersonaArchived, VersionConflict.
    """
    with transaction.atomic():
        row = locked(persona_id)
        expect(row, expected_version)
        raw = selectors.version(persona_id, to_version).raw
        return publish_row(
            row, raw, "persona.rolled_back", actor=actor, request_id=request_id, made_from=f"version:{to_version}"
        )


def restore(persona_id: str, *, limit: int | None, actor: Actor, request_id: UUID | None = None) -> Persona:
    """Bring an archived persona back with its current version. One in use is left as it is.

    Raises PersonaNotFound, PersonaLimitReached.
    """
    with transaction.atomic():
        one_at_a_time()
        row = locked(persona_id)
        if row.archived_at is not None:
            make_room(limit)
            row.archived_at = None
            row.save(update_fields=["archived_at"])
            _record("persona.restored", row, None, actor, request_id)
        return selectors.to_persona(row)


def archive(persona_id: str, *, actor: Actor, request_id: UUID | None = None) -> Persona:
    """Take a persona out of use; its versions stay. Archiving twice is the same as once. Raises PersonaNotFound."""
    with transaction.atomic():
        one_at_a_time()
        row = locked(persona_id)
        if row.archived_at is None:
            row.archived_at = clock.now()
            row.save(update_fields=["archived_at"])
            _record("persona.archived", row, None, actor, request_id)
        return selectors.to_persona(row)


def ensure_default(*, owner_id: str, actor: Actor = SYSTEM) -> Persona:
    """The organization's first persona, created when it has never had one. A provisioning step: safe to repeat."""
    with transaction.atomic():
        one_at_a_time()
        if not PersonaRow.objects.exists():
            create(default_cartridge(owner_id), limit=None, actor=actor)
        row = PersonaRow.objects.filter(slug=DEFAULT_PERSONA_ID).first() or PersonaRow.objects.earliest("id")
        return selectors.to_persona(row)


def checked(raw: Any, persona_id: str | None = None) -> None:
    """Refuse what may not be published. Raises BadRequest, InvalidCartridge."""
    if not isinstance(raw, dict):
        raise BadRequest("cartridge must be a Cartridge document.")
    if wrong := lint.errors(lint.check(raw, persona_id=persona_id)):
        raise InvalidCartridge(wrong)


def one_at_a_time() -> None:
    """Serialize what changes the number of personas in this organization, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"personas:{current().id}"])


def make_room(limit: int | None) -> None:
    """Whether one more persona may be in use. Raises PersonaLimitReached."""
    if limit is not None and selectors.count() >= limit:
        raise PersonaLimitReached(limit)


def locked(persona_id: str) -> PersonaRow:
    """The persona's row, locked until the transaction ends. Raises PersonaNotFound."""
    row = PersonaRow.objects.select_for_update().filter(slug=persona_id).first() if persona_id.isprintable() else None
    if row is None:
        raise PersonaNotFound(f"There is no persona {persona_id!r}.")
    return row


def locked_in_use(persona_id: str) -> PersonaRow:
    """As ``locked``, for a persona that answers. Raises PersonaArchived too."""
    row = locked(persona_id)
    expect(row, None)
    return row


def expect(row: PersonaRow, expected_version: int | None) -> None:
    """Whether the next version may be published on a locked row. Raises PersonaArchived, VersionConflict."""
    if row.archived_at is not None:
        raise PersonaArchived(row.slug)
    if expected_version is not None and expected_version != row.current_version:
        raise conflict(row, expected_version)


def conflict(row: PersonaRow, seen: int) -> VersionConflict:
    """The refusal that says who published what since the caller looked."""
    theirs = PersonaVersionRow.objects.get(persona=row, version=row.current_version)
    before = PersonaVersionRow.objects.filter(persona=row, version=seen).first()
    changes = [] if before is None else diff.fields(before.cartridge, theirs.cartridge)
    return VersionConflict(
        f"Version {row.current_version} was published in the meantime, by {theirs.created_by}.",
        extra={
            "current_version": row.current_version,
            "digest": theirs.digest,
            "published_at": theirs.published_at.isoformat(),
            "published_by": theirs.created_by,
            **told(changes),
        },
    )


def was_a_draft(row: PersonaRow) -> bool:
    """Whether the current version was published from a draft."""
    rows = PersonaVersionRow.objects.filter(persona=row, version=row.current_version)
    return rows.filter(draft_revision__isnull=False).exists()


def told(changes: Sequence[diff.FieldChange]) -> dict[str, Any]:
    """Changes as a refusal shows them: the first of them, and how many there are."""
    return {"changes": [asdict(change) for change in changes[:MAX_TOLD]], "changes_total": len(changes)}


def publish_row(
    row: PersonaRow,
    raw: dict[str, Any],
    action: str,
    *,
    actor: Actor,
    request_id: UUID | None,
    made_from: str = "",
    draft_revision: int | None = None,
) -> PersonaVersion:
    """The next version of a locked row, with its trail."""
    row.current_version += 1
    row.save(update_fields=["current_version", "archived_at"])
    version = PersonaVersionRow.objects.create(
        persona=row, version=row.current_version, cartridge=raw, digest=digest(raw), created_by=str(actor),
        made_from=made_from, draft_revision=draft_revision,
    )  # fmt: skip
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
    detail = {**facts, "made_from": version.made_from} if version and version.made_from else facts
    change = Change(action, actor, f"persona:{row.slug}", persona_id=row.slug, request_id=request_id, detail=detail)
    record(change, Event("persona.updated", facts, persona_id=row.slug))
