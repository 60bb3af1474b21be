"""Writes of policies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import FieldProblem
from gateway.core.journal import Actor, Change, Event, record
from gateway.governance.policies.documents import to_json
from gateway.governance.policies.errors import InvalidOverlay, OverlayConflict
from gateway.governance.policies.models import OverlayRow
from gateway.governance.policies.selectors import to_overlay
from gateway.governance.policies.types import Fields, Level, Overlay
from tenants.context import current
from tenants.services import organization_touch


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
    """Replace an overlay by a new version; with ``expected_version``, only if that is still its version (0: never
    written).

    Raises InvalidOverlay, and OverlayConflict naming who came first.
    """
    _check(Level(level), target, precedence)
    with transaction.atomic():
        OverlayRow.objects.bulk_create([OverlayRow(level=level, target=target)], ignore_conflicts=True)
        row = OverlayRow.objects.select_for_update().get(level=level, target=target)
        if expected_version is not None and expected_version != row.version:
            raise OverlayConflict(
                f"The overlay is at version {row.version}, written by {row.updated_by or 'nobody'}.",
                extra={"current_version": row.version, "updated_by": row.updated_by},
            )
        before = {"locks": row.locks, "defaults": row.defaults, "precedence": row.precedence}
        row.locks, row.defaults, row.precedence = to_json(locks), to_json(defaults), precedence
        row.version, row.updated_at, row.updated_by = row.version + 1, clock.now(), str(actor)
        row.save()
        if _models(before) != _models({"locks": row.locks, "defaults": row.defaults}):
            # Pass-through calls read no table: workers keep these lists until the organization has another version.
            organization_touch(current())
        _record(row, before, actor, request_id)
    return to_overlay(row)


def _check(level: Level, target: str, precedence: int) -> None:
    problems = []
    if (level == Level.ORG) != (target == ""):
        problems.append(FieldProblem("#/target", "target", "is for teams, users and sessions, and needed there"))
    if not 0 <= precedence <= 100:
        problems.append(FieldProblem("#/precedence", "out_of_range", "must be 0 to 100"))
    if problems:
        raise InvalidOverlay(problems)


def _models(overlay: dict[str, Any]) -> list[Any]:
    return [overlay[side].get(name) for side in ("locks", "defaults") for name in ("allowed_models", "denied_models")]


def _record(row: OverlayRow, before: dict[str, Any], actor: Actor, request_id: UUID | None) -> None:
    """The audit keeps which fields changed and every lock that is now in force: rules, not content."""
    after = {"locks": row.locks, "defaults": row.defaults, "precedence": row.precedence}
    changed = sorted(
        f"{side}.{name}"
        for side in ("locks", "defaults")
        for name in before[side].keys() | after[side].keys()
        if before[side].get(name) != after[side].get(name)
    )
    public_id = ids.public("pol", row.id)
    detail = {
        "level": row.level,
        "target": row.target,
        "policy_version": row.version,
        "changed": changed,
        "locks": row.locks,
    }
    payload = {"policy_id": public_id, "level": row.level, "policy_version": row.version}
    record(
        Change("policy.updated", actor, public_id, request_id=request_id, detail=detail),
        Event("policy.updated", payload),
    )
