"""Drafts: what is being written for a persona's next version, or for its first. Nobody speaks with a draft.

A draft may be wrong in every way but one: it must be a document that the database can hold. Saving it counts its
revision, publishing it deletes it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.journal import Actor, Change, record
from gateway.knowledge.personas import diff, gates, lint_bounds, lint_rules, selectors, services
from gateway.knowledge.personas.errors import (
    DraftConflict,
    DraftNotFound,
    InvalidCartridge,
    PersonaArchived,
    PersonaExists,
    TooManyDrafts,
)
from gateway.knowledge.personas.formats import canonical, digest
from gateway.knowledge.personas.models import PersonaDraftRow, PersonaRow
from gateway.knowledge.personas.types import Draft, PersonaVersion

MAX_DRAFT_BYTES = 128 * 1024
MAX_UNPUBLISHED = 100


def save(
    persona_id: str,
    raw: dict[str, Any],
    *,
    expected_revision: int | None = None,
    actor: Actor,
    request_id: UUID | None = None,
    made_from: str = "",
) -> Draft:
    """Begin a draft or save it again. ``expected_revision`` is the revision that the caller saw: 0 for none, None to
    save whatever is there. The same document again changes nothing.

    Raises BadRequest for an id that no persona can have or a document that cannot be kept, PersonaArchived,
    DraftConflict, TooManyDrafts.
    """
    if unfit := list(lint_rules.bad_id(persona_id)):
        raise InvalidCartridge(unfit)
    refuse_unkeepable(raw)
    with transaction.atomic():
        services.one_at_a_time()
        persona = PersonaRow.objects.filter(slug=persona_id).first()
        if persona is not None and persona.archived_at is not None:
            raise PersonaArchived(persona_id)
        row = PersonaDraftRow.objects.select_for_update().filter(slug=persona_id).first()
        if expected_revision is not None and expected_revision != (row.revision if row else 0):
            raise _conflict(persona_id, row, raw)
        if row is not None and canonical(row.cartridge) == canonical(raw):
            return selectors.to_draft(row)
        if row is None:
            if persona is None:
                _make_room()
            row = PersonaDraftRow(slug=persona_id, revision=0, based_on=persona.current_version if persona else 0)
        row.cartridge, row.revision, row.updated_at, row.updated_by = raw, row.revision + 1, clock.now(), str(actor)
        row.made_from = made_from or row.made_from
        row.save()
        _record("persona.draft_saved", row, actor, request_id)
        return selectors.to_draft(row)


def refuse_unkeepable(raw: Any) -> None:
    """Whether a document may be a draft, the cheapest question first. Raises BadRequest, InvalidCartridge."""
    if not isinstance(raw, dict):
        raise BadRequest("cartridge must be a Cartridge document.")
    if (deep := lint_bounds.too_deep(raw)) is not None:
        raise InvalidCartridge([deep])
    if (size := lint_bounds.size(raw)) > MAX_DRAFT_BYTES:
        message = f"has {size} bytes, at most {MAX_DRAFT_BYTES}"
        raise BadRequest(f"The draft {message}.", problems=(FieldProblem("#/cartridge", "draft_too_large", message),))
    if wrong := list(lint_bounds.unstorable(raw)):
        raise InvalidCartridge(wrong)


def begin(
    persona_id: str, raw: dict[str, Any], *, actor: Actor, request_id: UUID | None = None, made_from: str = ""
) -> Draft:
    """The first draft of a new persona. Raises PersonaExists where there is a persona or a draft of this id, and what
    ``save`` raises."""
    with transaction.atomic():
        services.one_at_a_time()
        refuse_taken(persona_id)
        return save(
            persona_id, raw, expected_revision=0, actor=actor, request_id=request_id, made_from=made_from
        )  # fmt: skip


def refuse_taken(persona_id: str) -> None:
    """Whether this id is free. Raises PersonaExists."""
    if persona_id.isprintable():
        of_it = PersonaRow.objects.filter(slug=persona_id), PersonaDraftRow.objects.filter(slug=persona_id)
        if any(rows.exists() for rows in of_it):
            raise PersonaExists(f"There is a persona or a draft {persona_id!r} already. Use another id.")


def delete(persona_id: str, *, actor: Actor, request_id: UUID | None = None) -> None:
    """Throw a draft away. Raises DraftNotFound."""
    with transaction.atomic():
        row = _locked(persona_id)
        if row is None:
            raise DraftNotFound(f"There is no draft of persona {persona_id!r}.")
        _record("persona.draft_deleted", row, actor, request_id)
        row.delete()


def publish(
    persona_id: str,
    *,
    expected_revision: int | None = None,
    expected_version: int | None = None,
    limit: int | None,
    actor: Actor,
    request_id: UUID | None = None,
) -> PersonaVersion:
    """Publish the draft as the next version, or as the first of a new persona, and delete the draft.

    Only on top of the version that the draft began from, unless ``expected_version`` names a later one that the caller
    has seen. Raises DraftNotFound, DraftConflict, InvalidCartridge, PersonaArchived, PersonaLimitReached, what a gate
    raises, and VersionConflict with what the other published, also where somebody else published this very draft: when
    there is none any more and the last version was one.
    """
    with transaction.atomic():
        services.one_at_a_time()
        persona = PersonaRow.objects.select_for_update().filter(slug=persona_id).first()
        row = _locked(persona_id)
        if row is None:
            raise _nothing_to_publish(persona_id, persona, expected_revision, expected_version)
        if expected_revision is not None and expected_revision != row.revision:
            raise _conflict(persona_id, row, row.cartridge)
        if persona is not None:
            services.expect(persona, row.based_on if expected_version is None else expected_version)
        services.checked(row.cartridge, persona_id)
        gates.require(persona_id, digest(row.cartridge))
        if persona is None:
            services.make_room(limit)
            persona = PersonaRow.objects.create(slug=persona_id, current_version=0)
        action = "persona.published" if persona.current_version else "persona.created"
        row.delete()
        return services.publish_row(
            persona, row.cartridge, action, actor=actor, request_id=request_id, made_from=row.made_from,
            draft_revision=row.revision,
        )  # fmt: skip


def _locked(persona_id: str) -> PersonaDraftRow | None:
    if not persona_id.isprintable():
        return None
    return PersonaDraftRow.objects.select_for_update().filter(slug=persona_id).first()


def _make_room() -> None:
    """At most so many drafts of personas that were never published; plans count published ones."""
    known = PersonaRow.objects.values("slug")
    if PersonaDraftRow.objects.exclude(slug__in=known).count() >= MAX_UNPUBLISHED:
        raise TooManyDrafts(MAX_UNPUBLISHED)


def _conflict(persona_id: str, row: PersonaDraftRow | None, mine: dict[str, Any]) -> DraftConflict:
    if row is None:
        return DraftConflict(
            f"The draft of {persona_id!r} is gone: it was published or deleted in the meantime.",
            extra={"revision": 0},
        )  # fmt: skip
    return DraftConflict(
        f"The draft is at revision {row.revision}, saved by {row.updated_by}.",
        extra={
            "revision": row.revision,
            "saved_at": row.updated_at.isoformat(),
            "saved_by": row.updated_by,
            # From the caller's document to theirs: what saving over it would undo.
            **services.told(diff.fields(mine, row.cartridge)),
        },
    )


def _nothing_to_publish(
    persona_id: str, persona: PersonaRow | None, expected_revision: int | None, expected_version: int | None
) -> Exception:
    """Whoever saw the draft, and whoever comes when the last version was one a moment ago, is told of that version:
    most likely somebody else published the very draft."""
    if persona is None or not persona.current_version:
        return DraftNotFound(f"There is no draft of persona {persona_id!r}.")
    if expected_version is not None and expected_version != persona.current_version:
        return services.conflict(persona, expected_version)
    if expected_revision is not None or services.was_a_draft(persona):
        return services.conflict(persona, persona.current_version - 1)
    return DraftNotFound(
        f"There is no draft of persona {persona_id!r}; its version {persona.current_version} is the last one."
    )


def _record(action: str, row: PersonaDraftRow, actor: Actor, request_id: UUID | None) -> None:
    """Audit only: nobody outside sees a draft, so nobody is told."""
    facts = {"revision": row.revision, "based_on": row.based_on}
    record(Change(action, actor, f"persona:{row.slug}", persona_id=row.slug, request_id=request_id, detail=facts))
