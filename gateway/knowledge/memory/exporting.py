"""Everything that memory keeps about one subject, as plain JSON objects: memories with all their sources and their
history, consents and boundaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.subjectdata import Target
from gateway.knowledge.memory import boundaries, consents, selectors
from gateway.knowledge.memory.models import MemoryRow, MemorySource
from gateway.knowledge.memory.types import Memory

_AT_A_TIME = 500
_INSIDE = ("subject_pk", "provenance", "deduplicated", "id", "previous_id", "superseded_by")


def lines(subject_pk: UUID) -> Iterator[dict[str, Any]]:
    """One object per memory (oldest first, whatever its status), consent and boundary, each with its ``type``; a
    memory's own type is its ``memory_type``. Times are aware datetimes."""
    after = UUID(int=0)
    while True:
        found = list(
            MemoryRow.objects.filter(subject_pk=subject_pk, id__gt=after)
            .order_by("id")
            .values_list("id", flat=True)[:_AT_A_TIME]
        )
        if not found:
            break
        sources = _sources(found)
        for memory in selectors.get_many(found):
            yield _line(memory, sources[memory.id])
        after = found[-1]
    for consent in consents.of(subject_pk):
        yield {"type": "consent", **asdict(consent)}
    for boundary in boundaries.of(subject_pk, lifted=True):
        yield {"type": "boundary", **asdict(boundary), "id": boundary.public_id}


def export_target(target: Target) -> Iterator[dict[str, Any]]:
    """``lines`` as the export of a subject calls it."""
    return lines(target.pk)


def _sources(memory_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = {memory_id: [] for memory_id in memory_ids}
    for row in MemorySource.objects.filter(memory_id__in=memory_ids).order_by("position"):
        found[row.memory_id].append(
            {
                "source": row.source,
                "ref": row.ref or None,
                "snippet": row.snippet,
                "span": row.span,
                "observed_at": row.observed_at,
            }
        )
    return found


def _line(memory: Memory, sources: list[dict[str, Any]]) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(memory).items() if name not in _INSIDE}
    plain["memory_type"] = plain.pop("type")
    links = {"previous_id": memory.previous_id, "superseded_by": memory.superseded_by}
    named = {name: ids.public("mem", other) if other else None for name, other in links.items()}
    return {"type": "memory", "id": memory.public_id, **plain, **named, "sources": sources}
