"""The two overlays that a row may hold, in force and in shadow: read and written the same way. Private to this
slice."""

from __future__ import annotations

from typing import Any

from gateway.core import clock
from gateway.governance.policies.documents import from_json
from gateway.governance.policies.models import OverlayRow
from gateway.governance.policies.types import Level, Mode, Overlay

Said = dict[str, Any]
_NOTHING: Said = {"locks": {}, "defaults": {}, "precedence": 50}


def stands(row: OverlayRow, mode: Mode) -> bool:
    """Whether there is one of this mode: written, and not taken away since."""
    return row.shadow is not None if mode is Mode.SHADOW else row.version > 0 and row.deleted_at is None


def said(row: OverlayRow, mode: Mode) -> Said:
    """``locks``, ``defaults`` and ``precedence`` as stored; those of an empty overlay where there is none."""
    if mode is Mode.SHADOW:
        return row.shadow or _NOTHING
    return {"locks": row.locks, "defaults": row.defaults, "precedence": row.precedence}


def written(row: OverlayRow, mode: Mode) -> tuple[int, Any, str]:
    """(the last version, when it was written, by whom)."""
    if mode is Mode.SHADOW:
        return row.shadow_version, row.shadow_updated_at, row.shadow_updated_by
    return row.version, row.updated_at, row.updated_by


def become(row: OverlayRow, mode: Mode, content: Said | None, by: str) -> None:
    """Save the next version of this mode; None takes it away. The other mode's stays as it is."""
    now = clock.now()
    if mode is Mode.SHADOW:
        row.shadow = content
        row.shadow_version, row.shadow_updated_at, row.shadow_updated_by = row.shadow_version + 1, now, by
    else:
        left = content or _NOTHING
        row.locks, row.defaults, row.precedence = left["locks"], left["defaults"], left["precedence"]
        row.deleted_at = now if content is None else None
        row.version, row.updated_at, row.updated_by = row.version + 1, now, by
    row.save()


def to_overlay(row: OverlayRow, mode: Mode = Mode.ENFORCE) -> Overlay:
    content, (version, at, by) = said(row, mode), written(row, mode)
    return Overlay(
        Level(row.level), row.target, from_json(content["locks"]), from_json(content["defaults"]),
        content["precedence"], version, at, by, row.id, mode,
    )  # fmt: skip
