"""Memories that say the same of one slot, made one: the oldest (a pinned one first) takes over the others' sources."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory import facts
from gateway.knowledge.memory.drafts import combined
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.placement import Fact
from gateway.knowledge.memory.types import Status
from gateway.knowledge.memory.wording import same_words

# Only slots in which something stands twice at all; whether it is the same is decided by ``_sense``.
_CANDIDATES = """
SELECT subject_pk, slot FROM memory
WHERE slot IS NOT NULL AND value IS NOT NULL AND status = 'active'
GROUP BY subject_pk, slot, lower(value::text), memory_scope, CASE WHEN scope = 'private' THEN persona_id END
HAVING count(*) > 1 LIMIT 500
"""

_SOURCES = """
INSERT INTO memory_source (memory_id, source, ref, snippet, span, position, observed_at)
SELECT %(kept)s, o.source, o.ref, o.snippet, o.span, row_number() OVER (ORDER BY o.position) + (
    SELECT max(position) FROM memory_source WHERE memory_id = %(kept)s), o.observed_at
FROM memory_source o WHERE o.memory_id = %(old)s
ON CONFLICT (memory_id, source, ref) DO NOTHING
"""


# Only who said it in the same words has a lineage of what is shown.
_LINEAGES = """
UPDATE memory k SET trust = greatest(k.trust, o.trust), lineages = CASE WHEN %(same)s THEN nullif(ARRAY(
    SELECT DISTINCT l FROM unnest(k.lineages || array_to_string(o.source_kinds, chr(31)) || o.lineages) AS l
    WHERE NOT (k.source_kinds::text[] <@ string_to_array(l, chr(31)))), '{}') ELSE k.lineages END
FROM memory o WHERE k.id = %(kept)s AND o.id = %(old)s
"""


class _Claim:
    """A slot with some value, for ``facts.of_slots``."""

    value = True

    def __init__(self, slot: str) -> None:
        self.slot = slot


def candidates() -> list[tuple[UUID, str]]:
    """Subjects and slots that may hold the same value twice."""
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES)
        return list(dict.fromkeys((pk, slot) for pk, slot in cursor.fetchall()))


def merge(subject_pk: UUID, slot: str, now: datetime) -> list[tuple[UUID, UUID]]:
    """Merge what says the same; returns (merged, kept) pairs. Inside a transaction that holds the subject."""
    found = facts.of_slots([(subject_pk, _Claim(slot))])[subject_pk, slot]
    active = sorted((fact for fact in found if fact.status == Status.ACTIVE), key=_sense)
    pinned = set(
        MemoryRow.objects.filter(pk__in=[fact.id for fact in active], pinned_at__isnull=False).values_list(
            "id", flat=True
        )
    )
    merged = []
    for _, same in groupby(active, key=_sense):
        kept, *others = sorted(same, key=lambda fact: (fact.id not in pinned, fact.occurred_at, fact.id))
        for old in others:
            if old.id not in pinned:
                _join(old, kept, now)
                merged.append((old.id, kept.id))
    return merged


def _sense(fact: Fact) -> tuple[bytes, bool, str, str, str, str]:
    """What must be equal for two facts to be one; their times of validity too."""
    return (
        fact.value_key or b"", fact.denies, fact.audience or "", fact.memory_scope, str(fact.valid_to),
        "" if fact.value_key else str(fact.id),
    )  # fmt: skip


def _join(old: Fact, kept: Fact, now: datetime) -> None:
    there = facts.sources_of([old.id, kept.id])
    if there[old.id] - there[kept.id]:
        kept.confidence = combined(kept.confidence, old.confidence)
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, {"old": old.id, "kept": kept.id})
        cursor.execute(
            _LINEAGES, {"old": old.id, "kept": kept.id, "same": same_words(old.text) == same_words(kept.text)}
        )
    MemoryRow.objects.filter(pk=kept.id).update(confidence=kept.confidence)
    MemoryRow.objects.filter(pk=old.id).update(
        status=Status.SUPERSEDED, corrected=True, retired_at=now, superseded_by=kept.id
    )
