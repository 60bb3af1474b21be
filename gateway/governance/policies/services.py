"""Writes of policies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, Event, record
from gateway.governance.policies.documents import to_json
from gateway.governance.policies.errors import OverlayConflict, OverlayNotFound
from gateway.governance.policies.models import OverlayRow, VersionRow
from gateway.governance.policies.selectors import to_overlay
from gateway.governance.policies.types import Fields, Level, Overlay
from gateway.governance.policies.validation import check
from tenants.context import current
from tenants.services import organization_touch

# A change of one of these reaches the workers' memory, so that a pass-through call, which reads no table, obeys it.
_KNOWN_EVERYWHERE = (
    "allowed_models", "denied_models", "allowed_tools", "denied_tools", "guardrails", "redact_mode", "max_output_tokens"
)  # fmt: skip


def put_overlay(
    *,
    locks: Fields,
    defaults: Fields,
    actor: Actor,
    level: Level | str = Level.ORG,
    target: str = "",
    precedence: int = 50,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> Overlay:
    """Replace an overlay by a new version; with ``expected_version``, only if that is still its version (0: there is
    none).

    Raises InvalidOverlay (a team that is not there included), and OverlayConflict with what came first.
    """
    with transaction.atomic():
        check(Level(level), target, precedence, locks, defaults)
        OverlayRow.objects.bulk_create([OverlayRow(level=level, target=target)], ignore_conflicts=True)
        row = OverlayRow.objects.select_for_update().get(level=level, target=target)
        _require_version(row, expected_version)
        before = _said(row)
        row.locks, row.defaults, row.precedence = to_json(locks), to_json(defaults), precedence
        row.deleted_at = None
        _write(row, before, actor, request_id)
    return to_overlay(row)


def delete_overlay(
    *,
    level: Level | str,
    target: str,
    actor: Actor,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> Overlay:
    """Take an overlay away; its versions stay readable. Raises OverlayNotFound, and OverlayConflict as ``put_overlay``
    does."""
    with transaction.atomic():
        row = OverlayRow.objects.select_for_update().filter(level=level, target=target, deleted_at=None).first()
        if row is None or row.version == 0:
            raise OverlayNotFound(f"There is no overlay of {_name(level, target)}.")
        _require_version(row, expected_version)
        before = _said(row)
        row.locks, row.defaults, row.precedence = {}, {}, 50
        row.deleted_at = clock.now()
        _write(row, before, actor, request_id)
    return to_overlay(row)


def erase_target(level: Level | str, target: str) -> int:
    """Remove an overlay and every version of it, because whom it names is erased; how many rows. Runs in the caller's
    transaction, which leaves the trail."""
    removed, _ = OverlayRow.objects.filter(level=level, target=target).exclude(level=Level.ORG).delete()
    return removed


def _require_version(row: OverlayRow, expected: int | None) -> None:
    if expected is None or expected == row.version or (expected == 0 and row.deleted_at is not None):
        return
    since = VersionRow.objects.filter(overlay=row, version__gt=expected).order_by("version")
    changed = sorted({name for version in since for name in version.changed})
    raise OverlayConflict(
        f"The overlay is at version {row.version}, written by {row.updated_by or 'nobody'}.",
        extra={
            "current_version": row.version,
            "updated_by": row.updated_by,
            "updated_at": row.updated_at.isoformat() if row.version else None,
            "changed": changed,
            "current": _said(row),
        },
    )


def _said(row: OverlayRow) -> dict[str, Any]:
    return {"locks": row.locks, "defaults": row.defaults, "precedence": row.precedence}


def _write(row: OverlayRow, before: dict[str, Any], actor: Actor, request_id: UUID | None) -> None:
    """Save the next version with its history, audit entry and event."""
    now = clock.now()
    row.version, row.updated_at, row.updated_by = row.version + 1, now, str(actor)
    row.save()
    changed = _changed(before, _said(row))
    VersionRow.objects.create(
        overlay=row, version=row.version, locks=row.locks, defaults=row.defaults, precedence=row.precedence,
        changed=changed, deleted=row.deleted_at is not None, written_at=now, written_by=row.updated_by,
    )  # fmt: skip
    shared = row.level in (Level.ORG, Level.TEAM)
    if shared and ("precedence" in changed or any(name.partition(".")[2] in _KNOWN_EVERYWHERE for name in changed)):
        organization_touch(current())
    _record(row, changed, actor, request_id)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    fields = [
        f"{side}.{name}"
        for side in ("locks", "defaults")
        for name in before[side].keys() | after[side].keys()
        if before[side].get(name) != after[side].get(name)
    ]
    return sorted(fields + (["precedence"] if before["precedence"] != after["precedence"] else []))


def _record(row: OverlayRow, changed: list[str], actor: Actor, request_id: UUID | None) -> None:
    """The audit keeps which fields changed and every lock that is now in force: rules, not content. What is locked for
    one subject or conversation may tell of them, so of those only the names are kept."""
    public_id = ids.public("pol", row.id)
    detail = {
        "level": row.level,
        "target": row.target,
        "policy_version": row.version,
        "changed": changed,
        "locks": row.locks if row.level in (Level.ORG, Level.TEAM) else sorted(row.locks),
        "deleted": row.deleted_at is not None,
    }
    payload = {"policy_id": public_id, "level": row.level, "policy_version": row.version}
    subject_id = row.target if row.level == Level.USER else None
    record(
        Change("policy.updated", actor, public_id, subject_id=subject_id, request_id=request_id, detail=detail),
        Event("policy.updated", payload, subject_id=subject_id),
    )


def _name(level: Level | str, target: str) -> str:
    return f"{Level(level).value}:{target}" if target else Level(level).value
