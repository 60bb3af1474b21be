"""Reads of personas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import F

from gateway.core.errors import BadRequest, FieldProblem
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.knowledge.personas import lint
from gateway.knowledge.personas.compile import compile_persona
from gateway.knowledge.personas.errors import (
    DraftNotFound,
    PersonaArchived,
    PersonaNotFound,
    PersonaVersionNotFound,
)
from gateway.knowledge.personas.models import PersonaDraftRow, PersonaRow, PersonaVersionRow
from gateway.knowledge.personas.types import Cartridge, Draft, Persona, PersonaVersion


def load(persona_id: str, version: int | None = None) -> PersonaVersion:
    """The version that answers: the current one, read fresh, or the pinned one. One query when the version is known
    to this process.

    Raises PersonaNotFound, PersonaVersionNotFound, or PersonaArchived for a persona that was taken out of use.
    """
    rows = PersonaVersionRow.objects.filter(persona__slug=persona_id)
    rows = rows.filter(version=F("persona__current_version") if version is None else version)
    found = rows.values_list("id", "persona__archived_at").first() if _plain(persona_id) else None
    if found is None:
        get(persona_id)
        raise PersonaVersionNotFound(f"Persona {persona_id!r} has no version {version}.")
    if found[1] is not None:
        raise PersonaArchived(persona_id)
    return _version(found[0])


def parse_ref(text: str) -> tuple[str, int | None]:
    """(the persona's id, the version) of ``sage@3``; of a bare id no version. Raises BadRequest for another thing
    behind the @; whether there is such a persona is not looked up."""
    persona_id, sign, number = text.partition("@")
    if not sign:
        return text, None
    if not persona_id or not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) > 0):
        problem = FieldProblem(
            "#/persona_id", "persona_ref", "must be an id, or an id, @ and a version, such as sage@3"
        )
        raise BadRequest(f"persona_id {problem.message}.", problems=(problem,))
    return persona_id, int(number)


def get(persona_id: str) -> Persona:
    """One persona, archived or not. Raises PersonaNotFound."""
    row = PersonaRow.objects.filter(slug=persona_id).first() if _plain(persona_id) else None
    if row is None:
        raise PersonaNotFound(f"There is no persona {persona_id!r}.")
    return to_persona(row)


def version(persona_id: str, number: int) -> PersonaVersion:
    """One version, of an archived persona too. Raises PersonaNotFound, PersonaVersionNotFound."""
    rows = PersonaVersionRow.objects.filter(persona_id=get(persona_id).pk, version=number)
    pk = rows.values_list("id", flat=True).first() if 0 < number < 2**31 else None
    if pk is None:
        raise PersonaVersionNotFound(f"Persona {persona_id!r} has no version {number}.")
    return _version(pk)


def draft(persona_id: str) -> Draft:
    """What is being written for a persona. Raises DraftNotFound."""
    row = PersonaDraftRow.objects.filter(slug=persona_id).first() if _plain(persona_id) else None
    if row is None:
        raise DraftNotFound(f"There is no draft of persona {persona_id!r}.")
    return to_draft(row)


def drafts(*, limit: int | None = None, cursor: str | None = None, only: Sequence[str] | None = None) -> Page[Draft]:
    """All drafts, the one begun first first; ``only`` narrows to what a scoped key may use (None: all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = PersonaDraftRow.objects.order_by("id")
    if only is not None:
        rows = rows.filter(slug__in=list(only))
    if after is not None:
        rows = rows.filter(id__gt=after)
    return cut([to_draft(row) for row in rows[: size + 1]], size, key=lambda draft: draft.pk)


def page(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    only: Sequence[str] | None = None,
    archived: bool = False,
) -> Page[Persona]:
    """Personas in use, or the archived ones, oldest first; ``only`` narrows to what a scoped key may use (None:
    all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = PersonaRow.objects.filter(archived_at__isnull=not archived).order_by("id")
    if only is not None:
        rows = rows.filter(slug__in=list(only))
    if after is not None:
        rows = rows.filter(id__gt=after)
    return cut([to_persona(row) for row in rows[: size + 1]], size, key=lambda persona: persona.pk)


def versions(persona_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[PersonaVersion]:
    """A persona's versions, newest first. Raises PersonaNotFound."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = PersonaVersionRow.objects.filter(persona_id=get(persona_id).pk).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = [_version(pk) for pk in rows.values_list("id", flat=True)[: size + 1]]
    return cut(found, size, key=lambda version: version.pk)


def published_as(persona_id: str, digests: Sequence[str]) -> list[tuple[int, str]]:
    """(version, digest) of each version whose document has one of these digests."""
    rows = PersonaVersionRow.objects.filter(persona__slug=persona_id, digest__in=digests)
    return list(rows.values_list("version", "digest"))


def count() -> int:
    """How many personas are in use; archived ones do not count toward the plan."""
    return PersonaRow.objects.filter(archived_at=None).count()


def first_made_at() -> datetime | None:
    """When the organization's first persona was made; None while it has none in use."""
    rows = PersonaRow.objects.filter(archived_at=None).order_by("id")
    return rows.values_list("created_at", flat=True).first()


def to_persona(row: PersonaRow) -> Persona:
    return Persona(row.id, row.slug, row.current_version, row.created_at, row.archived_at)


def to_draft(row: PersonaDraftRow) -> Draft:
    return Draft(
        row.id, row.slug, row.cartridge, row.revision, row.based_on, row.made_from, row.created_at, row.updated_at,
        row.updated_by,
    )  # fmt: skip


def _plain(persona_id: str) -> bool:
    return persona_id.isprintable()


def verdict(version: PersonaVersion) -> lint.Verdict:
    """What lint says of a version, worked out once in this process: neither of the two changes while it runs."""
    return _verdict(version.pk)


@lru_cache(maxsize=256)
def _verdict(pk: UUID) -> lint.Verdict:
    return lint.look(_version(pk).raw)


# A version's row never changes and its id is never used again, in any organization, so it is kept without an expiry.
@lru_cache(maxsize=256)
def _version(pk: UUID) -> PersonaVersion:
    row = PersonaVersionRow.objects.select_related("persona").get(pk=pk)
    raw: dict[str, Any] = row.cartridge
    cartridge = Cartridge.of(raw)
    return PersonaVersion(
        row.id, row.persona.slug, row.version, cartridge, raw, row.digest, compile_persona(cartridge), row.published_at,
        row.created_by, row.made_from,
    )  # fmt: skip
