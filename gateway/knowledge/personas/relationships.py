"""How well each person and each persona know each other: a stage that grows with the turns they had.

Level = ⌊log₂(turns + 1)⌋, at most 10: every level takes twice the turns of the one before. Levels 3, 5 and 7 (7, 31
and 127 turns) bring the next stage. Counting never lowers a stage; only ``set_stage`` does, and counting goes on from
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.knowledge.personas.models import RelationshipRow
from gateway.knowledge.personas.types import STAGES, Relationship

MAX_LEVEL = 10
TURNS = (0, 7, 31, 127)
"""The turns that bring each stage; 2ⁿ - 1 for the levels 0, 3, 5 and 7."""
# Far above what anybody says, far below what the column holds.
_MOST_TURNS = 1_000_000_000

_NOTE = """
INSERT INTO persona_relationship (id, subject, slug, stage, turns, locked, since, updated_at)
VALUES (%(id)s, %(subject)s, %(slug)s, 0, 1, false, %(now)s, %(now)s)
ON CONFLICT (subject, slug) DO UPDATE SET
    turns = LEAST(persona_relationship.turns + 1, %(most)s),
    stage = CASE WHEN persona_relationship.locked THEN persona_relationship.stage
                 ELSE GREATEST(persona_relationship.stage, (
                     SELECT count(*) FROM unnest(%(turns)s::integer[]) AS needed
                     WHERE needed <= persona_relationship.turns + 1) - 1) END,
    since = CASE WHEN NOT persona_relationship.locked AND persona_relationship.turns + 1 = ANY(%(turns)s::integer[])
                 THEN excluded.since ELSE persona_relationship.since END,
    updated_at = excluded.updated_at
RETURNING stage, turns, locked, since
"""


def of(subject_pk: UUID, persona_id: str) -> Relationship:
    """Where the two stand; strangers when they never spoke. One query."""
    row = RelationshipRow.objects.filter(subject=subject_pk, slug=persona_id).first()
    return _shown(persona_id, 0, 0, False, None) if row is None else _of_row(row)


def page(
    subject_pk: UUID, *, limit: int | None = None, cursor: str | None = None, only: Sequence[str] | None = None
) -> Page[Relationship]:
    """The personas that a subject has spoken with, the longest known first; ``only`` narrows to some (None: all)."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = RelationshipRow.objects.filter(subject=subject_pk).order_by("id")
    if only is not None:
        rows = rows.filter(slug__in=list(only))
    if after is not None:
        rows = rows.filter(id__gt=after)
    found = cut(list(rows[: size + 1]), size)
    return Page([_of_row(row) for row in found.data], found.next_cursor)


def note_turn(
    subject_pk: UUID, persona_id: str, *, subject_id: str | None = None, request_id: UUID | None = None
) -> Relationship:
    """Count one turn that was answered; two at once are both counted. One statement, and the trail of a new stage."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                _NOTE,
                {"id": ids.uuid7(), "subject": subject_pk, "slug": persona_id, "now": clock.now(),
                 "turns": list(TURNS), "most": _MOST_TURNS},
            )  # fmt: skip
            stage, turns, locked, since = cursor.fetchone()
        if not locked and turns in TURNS:
            between = (subject_id, persona_id)
            _record(_change("relationship.advanced", SYSTEM, between, request_id, stage=STAGES[stage], locked=False))
    return _shown(persona_id, stage, turns, locked, since)


def set_stage(
    subject_pk: UUID,
    persona_id: str,
    stage: str,
    *,
    locked: bool = False,
    actor: Actor,
    subject_id: str | None = None,
    request_id: UUID | None = None,
) -> Relationship:
    """Put the two at a stage, also a lower one. Turns count on from what that stage takes; ``locked`` keeps it there
    until it is set again. Of two at once the later one stands."""
    place, now = STAGES.index(stage), clock.now()
    with transaction.atomic():
        fresh = RelationshipRow(subject=subject_pk, slug=persona_id)
        RelationshipRow.objects.bulk_create([fresh], ignore_conflicts=True)
        row = RelationshipRow.objects.select_for_update().get(subject=subject_pk, slug=persona_id)
        if row.id != fresh.id and (row.stage, row.locked) == (place, locked):
            return _of_row(row)
        if row.stage != place or row.id == fresh.id:
            row.stage, row.turns, row.since = place, TURNS[place], now
        elif row.locked and not locked:
            # While it was locked the turns went on; the next stage is earned from here.
            row.turns = min(row.turns, TURNS[place + 1] - 1) if place + 1 < len(TURNS) else row.turns
        row.locked, row.updated_at = locked, now
        row.save()
        between = (subject_id, persona_id)
        _record(_change("relationship.set", actor, between, request_id, stage=stage, locked=locked))
        return _of_row(row)


def erase(subject_pk: UUID) -> int:
    """Delete all that is known of how a subject stands with personas; how many rows that were. Safe to repeat."""
    return RelationshipRow.objects.filter(subject=subject_pk).delete()[0]


def level(turns: int) -> int:
    """0 to 10: ⌊log₂(turns + 1)⌋, in whole numbers so that every machine agrees."""
    return min(MAX_LEVEL, (turns + 1).bit_length() - 1)


def _of_row(row: RelationshipRow) -> Relationship:
    return _shown(row.slug, row.stage, row.turns, row.locked, row.since)


def _shown(persona_id: str, stage: int, turns: int, locked: bool, since: datetime | None) -> Relationship:
    following = None if locked or stage + 1 >= len(TURNS) else TURNS[stage + 1]
    return Relationship(persona_id, STAGES[stage], turns, level(turns), locked, since, following)


def _record(change: Change) -> None:
    record(
        change, Event("relationship.changed", change.detail, subject_id=change.subject_id, persona_id=change.persona_id)
    )  # fmt: skip


def _change(
    action: str, actor: Actor, between: tuple[str | None, str], request_id: UUID | None, **facts: Any
) -> Change:
    """``between`` are the subject's id and the persona's."""
    subject_id, persona_id = between
    return Change(
        action, actor, f"persona:{persona_id}", subject_id=subject_id, persona_id=persona_id, request_id=request_id,
        detail=facts,
    )  # fmt: skip
