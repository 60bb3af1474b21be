"""The facts of slots, read and written back: the rows that ``placement`` decides about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

from gateway.core import clock
from gateway.knowledge.memory.drafts import Draft, audience
from gateway.knowledge.memory.placement import Fact
from gateway.knowledge.memory.slots import value_key
from gateway.knowledge.memory.wording import negated

Facts = dict[tuple[UUID, str], list[Fact]]

_FACTS = """
SELECT m.subject_pk, m.slot, m.id, m.body, m.value, m.occurred_at, m.valid_from, m.valid_to, m.status, m.confidence,
    m.trust, m.scope, m.persona_id, m.memory_scope, m.superseded_by_id
FROM memory m
WHERE m.subject_pk = ANY(%s) AND m.slot = ANY(%s) AND m.value IS NOT NULL
    AND m.status IN ('active', 'silenced', 'superseded') AND NOT m.corrected AND m.id <> ALL(%s::uuid[])
    AND (m.expires_at IS NULL OR m.expires_at > %s)
ORDER BY m.occurred_at, m.id
"""

_SOURCES = "SELECT memory_id, source, ref FROM memory_source WHERE memory_id = ANY(%s)"

_CHANGE = """
UPDATE memory m SET
    valid_to = x.valid_to, status = coalesce(x.status, m.status), retired_at = coalesce(x.retired_at, m.retired_at),
    superseded_by_id = coalesce(x.superseded_by, m.superseded_by_id)
FROM jsonb_to_recordset(%s::jsonb) AS x(
    id uuid, valid_to timestamptz, status text, retired_at timestamptz, superseded_by uuid)
WHERE m.id = x.id
"""


class Slotted(Protocol):
    """A draft or a memory: whatever may claim a value of a slot."""

    @property
    def slot(self) -> str | None: ...
    @property
    def value(self) -> Any: ...


def of_slots(claims: Iterable[tuple[UUID, Slotted]], *, besides: Sequence[UUID] = ()) -> Facts:
    """The stored facts of the claims' slots by (subject, slot), oldest first; one query, none without slots."""
    wanted = {(pk, claim.slot) for pk, claim in claims if claim.slot is not None and claim.value is not None}
    found: Facts = {(pk, slot): [] for pk, slot in wanted}
    if not wanted:
        return found
    with connection.cursor() as cursor:
        pks, slots = {pk for pk, _ in wanted}, {slot for _, slot in wanted}
        cursor.execute(_FACTS, [list(pks), list(slots), list(besides), clock.now()])
        for row in cursor.fetchall():
            facts = found.get((row[0], row[1]))
            if facts is not None:
                facts.append(_fact(row[2:]))
    return found


def sources_of(memory_ids: Iterable[UUID]) -> dict[UUID, set[tuple[str, str]]]:
    """The (source, ref) pairs of these memories."""
    found: dict[UUID, set[tuple[str, str]]] = {memory_id: set() for memory_id in memory_ids}
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, [list(found)])
        for memory_id, source, ref in cursor.fetchall():
            found[memory_id].add((source, ref))
    return found


def sources_that_agree(claims: Iterable[tuple[UUID, Draft]], known: Facts) -> dict[UUID, set[tuple[str, str]]]:
    """The sources of the facts that one of the claims may corroborate; one query, none without such a fact."""
    said = {(pk, claim.slot, claim.value_key) for pk, claim in claims}
    agreeing = [fact.id for (pk, slot), same in known.items() for fact in same if (pk, slot, fact.value_key) in said]
    return sources_of(agreeing) if agreeing else {}


def write_back(facts: Iterable[Fact]) -> None:
    """Store what ``Fact.change`` changed of stored facts; one statement."""
    changed = [
        {"valid_to": fact.valid_to, **fact.changes, "id": fact.id}
        for fact in facts
        if fact.row is None and fact.changes
    ]
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_CHANGE, [json.dumps(changed, default=_plain)])


def _plain(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _fact(row: tuple[Any, ...]) -> Fact:
    (
        memory_id, body, value, occurred_at, valid_from, valid_to, status, confidence, trust, scope, persona_id,
        memory_scope, superseded_by,
    ) = row  # fmt: skip
    stored = json.loads(value) if isinstance(value, str) else value
    return Fact(
        memory_id, body, value_key(stored), negated(body), occurred_at, valid_from, valid_to, status, confidence, trust,
        audience(scope, persona_id), memory_scope, superseded_by,
    )  # fmt: skip
