"""Writes of policies. One in shadow is written, versioned and audited as one in force is, and tells its own story:
``policy.updated`` is of what binds alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core.journal import Actor, Change, Event, record
from gateway.governance.policies.documents import to_json
from gateway.governance.policies.errors import OverlayConflict, OverlayNotFound
from gateway.governance.policies.models import OverlayRow, VersionRow
from gateway.governance.policies.rows import Said, become, said, stands, to_overlay, written
from gateway.governance.policies.types import Fields, Level, Mode, Overlay
from gateway.governance.policies.validation import check_content, check_target
from tenants.context import current
from tenants.services import organization_touch

# A change of one of these reaches the workers' memory, so that a pass-through call, which reads no table, obeys it (or
# says that it would have).
_KNOWN_EVERYWHERE = (
    "allowed_models", "denied_models", "allowed_tools", "denied_tools", "guardrails", "redact_mode",
    "max_output_tokens", "retention",
)  # fmt: skip


_ACTIONS = {Mode.ENFORCE: "policy.updated", Mode.SHADOW: "policy.shadow_updated"}


def put_overlay(
    *,
    locks: Fields,
    defaults: Fields,
    actor: Actor,
    level: Level | str = Level.ORG,
    target: str = "",
    mode: Mode = Mode.ENFORCE,
    precedence: int = 50,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> Overlay:
    """Replace an overlay by a new version; with ``expected_version``, only if that is still the version of this mode
    (0: there is none). The other mode's stays as it is.

    Raises InvalidOverlay (a team that is not there included), and OverlayConflict with what came first.
    """
    check_content(precedence, locks, defaults)
    with transaction.atomic():
        check_target(Level(level), target)
        OverlayRow.objects.bulk_create([OverlayRow(level=level, target=target)], ignore_conflicts=True)
        row = OverlayRow.objects.select_for_update().get(level=level, target=target)
        _require_version(row, mode, expected_version)
        content = {"locks": to_json(locks), "defaults": to_json(defaults), "precedence": precedence}
        _write(row, mode, content, actor, request_id)
    return to_overlay(row, mode)


def delete_overlay(
    *,
    level: Level | str,
    target: str,
    actor: Actor,
    mode: Mode = Mode.ENFORCE,
    expected_version: int | None = None,
    request_id: UUID | None = None,
) -> Overlay:
    """Take an overlay away; its versions stay readable. Raises OverlayNotFound, and OverlayConflict as ``put_overlay``
    does."""
    with transaction.atomic():
        row = _held(level, target)
        _require_standing(row, mode)
        _require_version(row, mode, expected_version)
        _write(row, mode, None, actor, request_id)
    return to_overlay(row, mode)


def promote(
    *,
    level: Level | str,
    target: str,
    expected_version: int,
    actor: Actor,
    expected_in_force: int | None = None,
    request_id: UUID | None = None,
) -> Overlay:
    """Put the overlay in shadow in force, in the place of the one that is, and end the shadow, at once. Only if the
    shadow is still at ``expected_version`` and, where it is given, the one in force at ``expected_in_force`` (0: there
    is none).

    Raises OverlayNotFound where none is in shadow, InvalidOverlay where its team is gone, and OverlayConflict.
    """
    with transaction.atomic():
        row = _held(level, target)
        # The version first: whoever comes second is told what the first one did, also when that ended the shadow.
        _require_version(row, Mode.SHADOW, expected_version if row.shadow_version else None)
        _require_standing(row, Mode.SHADOW)
        _require_version(row, Mode.ENFORCE, expected_in_force)
        check_target(Level(level), target)  # what it says was checked when it was saved
        content = said(row, Mode.SHADOW)
        _write(row, Mode.SHADOW, None, actor, request_id, promoted=True)
        _write(row, Mode.ENFORCE, content, actor, request_id, promoted=True)
    return to_overlay(row)


def erase_target(level: Level | str, target: str) -> int:
    """Remove an overlay, its shadow and every version of both, because whom it names is erased; how many rows. Runs in
    the caller's transaction, which leaves the trail."""
    removed, _ = OverlayRow.objects.filter(level=level, target=target).exclude(level=Level.ORG).delete()
    return removed


def _held(level: Level | str, target: str) -> OverlayRow:
    """The row, held until the transaction ends. Raises OverlayNotFound."""
    row = OverlayRow.objects.select_for_update().filter(level=level, target=target).first()
    if row is None:
        raise OverlayNotFound(f"There is no overlay of {_name(level, target)}.")
    return row


def _require_standing(row: OverlayRow, mode: Mode) -> None:
    if not stands(row, mode):
        where = " in shadow" if mode is Mode.SHADOW else ""
        raise OverlayNotFound(f"There is no overlay of {_name(row.level, row.target)}{where}.")


def _require_version(row: OverlayRow, mode: Mode, expected: int | None) -> None:
    version, at, by = written(row, mode)
    if expected is None or expected == version or (expected == 0 and not stands(row, mode)):
        return
    since = VersionRow.objects.filter(overlay=row, mode=mode, version__gt=expected).order_by("version")
    changed = sorted({name for version in since for name in version.changed})
    which, told = ("overlay in shadow", {"mode": mode.value}) if mode is Mode.SHADOW else ("overlay", {})
    raise OverlayConflict(
        f"The {which} is at version {version}, written by {by or 'nobody'}.",
        extra={
            **told,
            "current_version": version,
            "updated_by": by,
            "updated_at": at.isoformat() if version else None,
            "changed": changed,
            "current": said(row, mode),
        },
    )


def _write(
    row: OverlayRow, mode: Mode, content: Said | None, actor: Actor, request_id: UUID | None, *, promoted: bool = False
) -> None:
    """Save the next version with its history, audit entry and event; None takes it away."""
    before, stood = said(row, mode), stands(row, mode)
    become(row, mode, content, str(actor))
    after, (version, at, by) = said(row, mode), written(row, mode)
    changed = _changed(before, after)
    VersionRow.objects.create(
        overlay=row, mode=mode, version=version, **after, changed=changed, deleted=content is None, written_at=at,
        written_by=by,
    )  # fmt: skip
    # That a shadow is there says something even when it is empty: what is in force would go.
    came_or_went = mode is Mode.SHADOW and stood != stands(row, mode)
    known = "precedence" in changed or any(name.partition(".")[2] in _KNOWN_EVERYWHERE for name in changed)
    if row.level in (Level.ORG, Level.TEAM) and (known or came_or_went):
        organization_touch(current())
    _record(
        to_overlay(row, mode), after["locks"], changed, actor, request_id, deleted=content is None, promoted=promoted
    )


def _changed(before: Said, after: Said) -> list[str]:
    fields = [
        f"{side}.{name}"
        for side in ("locks", "defaults")
        for name in before[side].keys() | after[side].keys()
        if before[side].get(name) != after[side].get(name)
    ]
    return sorted(fields + (["precedence"] if before["precedence"] != after["precedence"] else []))


def _record(
    overlay: Overlay,
    locks: dict[str, Any],
    changed: list[str],
    actor: Actor,
    request_id: UUID | None,
    *,
    deleted: bool,
    promoted: bool,
) -> None:
    """The audit keeps which fields changed and every lock that is now in force (or in shadow): rules, not content. What
    is locked for one subject or conversation may tell of them, so of those only the names are kept."""
    action, public_id = _ACTIONS[overlay.mode], str(overlay.public_id)
    detail = {
        "level": overlay.level.value,
        "target": overlay.target,
        "policy_version": overlay.version,
        "changed": changed,
        "locks": locks if overlay.level in (Level.ORG, Level.TEAM) else sorted(locks),
        "deleted": deleted,
        **({"promoted": True} if promoted else {}),
    }
    payload: dict[str, Any] = {
        "policy_id": public_id, "level": overlay.level.value, "policy_version": overlay.version,
    }  # fmt: skip
    if overlay.mode is Mode.SHADOW:
        payload |= {"deleted": deleted, "promoted": promoted}
    subject_id = overlay.target if overlay.level is Level.USER else None
    record(
        Change(action, actor, public_id, subject_id=subject_id, request_id=request_id, detail=detail),
        Event(action, payload, subject_id=subject_id),
    )


def _name(level: Level | str, target: str) -> str:
    return f"{Level(level).value}:{target}" if target else Level(level).value
