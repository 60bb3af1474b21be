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
from gateway.governance.policies.rows import stands, to_overlay
from gateway.governance.policies.types import EffectivePolicy, Fields, Level, Mode, Overlay, RequestedPolicy, Version
from gateway.platform.requests.bounds import Bounds

_IN_FORCE, _IN_SHADOW = Q(deleted_at=None, version__gt=0), Q(shadow__isnull=False)
_STANDING = {Mode.ENFORCE: _IN_FORCE, Mode.SHADOW: _IN_SHADOW}


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
    """The overlays that speak of a request, in force and in shadow, for ``merge`` and ``shadows.of``; always the
    organization's. One query."""
    applies = Q(level=Level.ORG, target="")
    if teams:
        applies |= Q(level=Level.TEAM, target__in=list(teams))
    if subject_id is not None and subject_id.isprintable():
        applies |= Q(level=Level.USER, target=subject_id)
    if conversation_id is not None:
        named = ids.public("conv", conversation_id) if isinstance(conversation_id, UUID) else conversation_id
        applies |= Q(level=Level.SESSION, target=named)
    return _both(applies)


def of_teams() -> list[Overlay]:
    """The overlays of the organization and of all its teams, in force and in shadow: what may speak of a call that
    names neither subject nor conversation."""
    return _both(Q(level__in=(Level.ORG, Level.TEAM)))


def body_bounds() -> Bounds:
    """For how long locks of the organization and of its subjects let bodies be kept, those too that are there already.
    (A team's and a conversation's are asked when a body is kept.) One query."""
    rows = OverlayRow.objects.filter(_IN_FORCE, level__in=(Level.ORG, Level.USER))
    locked = {row.target: from_json(row.locks).retention.body_days for row in rows}
    whole = locked.pop("", None)
    return Bounds(whole, {subject: days for subject, days in locked.items() if days is not None})


def overlay(level: Level | str = Level.ORG, target: str = "", mode: Mode = Mode.ENFORCE) -> Overlay:
    """One overlay; an empty one of version 0 when nobody has written it, of its last version when it was deleted."""
    row = OverlayRow.objects.filter(level=level, target=target).first()
    known = row is not None and (mode is Mode.SHADOW or row.version > 0)
    return to_overlay(row, mode) if row and known else Overlay(Level(level), target, Fields(), Fields(), mode=mode)


def standing(level: Level, target: str, mode: Mode = Mode.ENFORCE) -> Overlay | None:
    """One overlay that is there, None where there is none."""
    row = OverlayRow.objects.filter(_STANDING[mode], level=level, target=target).first()
    return to_overlay(row, mode) if row else None


def page(
    *,
    mode: Mode = Mode.ENFORCE,
    level: Level | None = None,
    target: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Overlay]:
    """Overlays in the order of their first writing. ``subjects`` narrows to what a key of some subjects may see:
    theirs, the teams' and the organization's (None: all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = OverlayRow.objects.filter(_narrowed(level, target, subjects), _STANDING[mode]).order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return cut([to_overlay(row, mode) for row in rows[: size + 1]], size)


def versions(
    *,
    mode: Mode = Mode.ENFORCE,
    level: Level | None = None,
    target: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Version]:
    """What overlays were, the newest first; deleted ones too."""
    size, after = check_limit(limit), decode_cursor(cursor)
    told = _narrowed(level, target, subjects, "overlay__")
    rows = VersionRow.objects.filter(told, mode=mode).select_related("overlay")
    if after is not None:
        rows = rows.filter(id__lt=after)
    return cut([_to_version(row) for row in rows.order_by("-id")[: size + 1]], size)


def count() -> int:
    """For how many the organization has an overlay, in force or in shadow."""
    return OverlayRow.objects.filter(_IN_FORCE | _IN_SHADOW).count()


def _both(applies: Q) -> list[Overlay]:
    rows = OverlayRow.objects.filter(applies, _IN_FORCE | _IN_SHADOW)
    return [to_overlay(row, mode) for row in rows for mode in Mode if stands(row, mode)]


def _narrowed(level: Level | None, target: str | None, subjects: Sequence[str] | None, prefix: str = "") -> Q:
    given: dict[str, Any] = {"level": level, "target": target}
    narrowed = Q(**{f"{prefix}{name}": value for name, value in given.items() if value is not None})
    if subjects is not None:
        theirs = Q(**{f"{prefix}level": Level.USER, f"{prefix}target__in": list(subjects)})
        narrowed &= theirs | Q(**{f"{prefix}level__in": (Level.ORG, Level.TEAM)})
    return narrowed


def _to_version(row: VersionRow) -> Version:
    overlay = replace(
        to_overlay(row.overlay, Mode(row.mode)), locks=from_json(row.locks), defaults=from_json(row.defaults),
        precedence=row.precedence, version=row.version, updated_at=row.written_at, updated_by=row.written_by,
    )  # fmt: skip
    return Version(row.id, overlay, tuple(row.changed), row.deleted)
