"""Reads of policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Q

from gateway.core import ids
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.governance.policies.documents import from_json
from gateway.governance.policies.merge import merge
from gateway.governance.policies.models import OverlayRow, VersionRow
from gateway.governance.policies.types import EffectivePolicy, Fields, Level, Overlay, RequestedPolicy, Version


def effective(
    *,
    persona_do: Sequence[str] = (),
    persona_dont: Sequence[str] = (),
    request: RequestedPolicy | None = None,
    teams: Sequence[str] = (),
    subject_id: str | None = None,
    conversation_id: UUID | str | None = None,
) -> EffectivePolicy:
    """What holds for a request with this persona, from the overlays as they are now. One query.

    ``teams`` are those of the key and of the subject, never what a caller names; ``subject_id`` is the caller's own
    string; a conversation is named by its row's id or its public one.
    """
    found = overlays(teams=teams, subject_id=subject_id, conversation_id=conversation_id)
    return merge(found, persona_do=persona_do, persona_dont=persona_dont, request=request)


def overlays(
    *,
    teams: Sequence[str] = (),
    subject_id: str | None = None,
    conversation_id: UUID | str | None = None,
) -> list[Overlay]:
    """The overlays that bind a request, for ``merge``; the organization's always. One query."""
    applies = Q(level=Level.ORG, target="")
    if teams:
        applies |= Q(level=Level.TEAM, target__in=list(teams))
    if subject_id is not None and subject_id.isprintable():
        applies |= Q(level=Level.USER, target=subject_id)
    if conversation_id is not None:
        named = ids.public("conv", conversation_id) if isinstance(conversation_id, UUID) else conversation_id
        applies |= Q(level=Level.SESSION, target=named)
    return [to_overlay(row) for row in OverlayRow.objects.filter(applies, deleted_at=None)]


def of_teams() -> list[Overlay]:
    """The overlays of the organization and of all its teams: what may bind a call that names neither subject nor
    conversation."""
    rows = OverlayRow.objects.filter(level__in=(Level.ORG, Level.TEAM), deleted_at=None)
    return [to_overlay(row) for row in rows]


def overlay(level: Level | str = Level.ORG, target: str = "") -> Overlay:
    """One overlay; an empty one of version 0 when nobody has written it, of its last version when it was deleted."""
    row = OverlayRow.objects.filter(level=level, target=target).first()
    return to_overlay(row) if row else Overlay(Level(level), target, Fields(), Fields())


def standing(level: Level, target: str) -> Overlay | None:
    """One overlay as it is in force, None where there is none."""
    row = OverlayRow.objects.filter(level=level, target=target, deleted_at=None, version__gt=0).first()
    return to_overlay(row) if row else None


def page(
    *,
    level: Level | None = None,
    target: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Overlay]:
    """Overlays in the order of their first writing. ``subjects`` narrows to what a key of some subjects may see:
    theirs, the teams' and the organization's (None: all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = OverlayRow.objects.filter(_narrowed(level, target, subjects), deleted_at=None).order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return cut([to_overlay(row) for row in rows[: size + 1]], size)


def versions(
    *,
    level: Level | None = None,
    target: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Version]:
    """What overlays were, the newest first; deleted ones too."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = VersionRow.objects.filter(_narrowed(level, target, subjects, "overlay__")).select_related("overlay")
    if after is not None:
        rows = rows.filter(id__lt=after)
    return cut([_to_version(row) for row in rows.order_by("-id")[: size + 1]], size)


def count() -> int:
    """How many overlays the organization has."""
    return OverlayRow.objects.filter(deleted_at=None).count()


def to_overlay(row: OverlayRow) -> Overlay:
    return Overlay(
        Level(row.level), row.target, from_json(row.locks), from_json(row.defaults), row.precedence, row.version,
        row.updated_at, row.updated_by, row.id,
    )  # fmt: skip


def _narrowed(level: Level | None, target: str | None, subjects: Sequence[str] | None, prefix: str = "") -> Q:
    given: dict[str, Any] = {"level": level, "target": target}
    narrowed = Q(**{f"{prefix}{name}": value for name, value in given.items() if value is not None})
    if subjects is not None:
        theirs = Q(**{f"{prefix}level": Level.USER, f"{prefix}target__in": list(subjects)})
        narrowed &= theirs | Q(**{f"{prefix}level__in": (Level.ORG, Level.TEAM)})
    return narrowed


def _to_version(row: VersionRow) -> Version:
    overlay = replace(
        to_overlay(row.overlay), locks=from_json(row.locks), defaults=from_json(row.defaults),
        precedence=row.precedence, version=row.version, updated_at=row.written_at, updated_by=row.written_by,
    )  # fmt: skip
    return Version(row.id, overlay, tuple(row.changed), row.deleted)
