"""From a draft to the row that is inserted, with its sources and its sitting."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.knowledge.memory import sittings, storage
from gateway.knowledge.memory.drafts import Draft
from gateway.knowledge.memory.placement import Fact
from gateway.knowledge.memory.types import Provenance, Status
from gateway.knowledge.memory.wording import negated


def row_of(subject_pk: UUID, draft: Draft, *, now: datetime, created_by: str) -> dict[str, Any]:
    """The columns of ``storage.insert``'s record; ``sitting`` is given by ``seat``."""
    return {
        "id": ids.uuid7(), "subject_pk": subject_pk, "persona_id": draft.persona_id, "type": draft.type,
        "slot": draft.slot, "body": draft.text, "value": draft.value, "speaker": draft.speaker,
        "thread_id": draft.thread_id, "occurred_at": draft.occurred_at, "valid_from": draft.valid_from,
        "valid_to": draft.valid_to, "recorded_at": now, "confidence": draft.confidence, "trust": draft.trust,
        "scope": draft.scope, "memory_scope": draft.memory_scope, "source_kinds": draft.source_kinds,
        "expires_at": draft.expires_at, "content_hash": draft.content_hash.hex(), "created_by": created_by,
        "proposal_id": draft.proposal_id, "about": draft.about, "place": draft.where, "pii_tags": draft.pii_tags,
        "status": Status.ACTIVE, "retired_at": None, "superseded_by": None, "version": 1, "previous_id": None,
        "pinned_at": None, "silenced_at": None, "lineages": None,
        "sources": [source_of(source, position) for position, source in enumerate(_distinct(draft.sources))],
    }  # fmt: skip


def fact_of(row: dict[str, Any], draft: Draft) -> Fact:
    """The fact that a row of this write is, for the items after it."""
    return Fact(
        row["id"], draft.text, draft.value_key, negated(draft.text), draft.occurred_at, draft.valid_from,
        row["valid_to"], row["status"], draft.confidence, draft.trust, draft.audience, draft.memory_scope,
        row["superseded_by"], row,
    )  # fmt: skip


def source_of(source: Provenance, position: int) -> dict[str, Any]:
    return {
        "source": source.source, "ref": source.ref or "", "snippet": source.snippet, "span": source.span,
        "position": position,
    }  # fmt: skip


def seat(subject_pk: UUID, rows: list[dict[str, Any]], next_sitting: int) -> int:
    """Give every new row its sitting; one without a thread sits alone. Returns the next free number."""
    threads: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["thread_id"] is None:
            row["sitting"], next_sitting = next_sitting, next_sitting + 1
        else:
            threads[row["thread_id"]].append(row)
    for thread_id, members in threads.items():
        times = [row["occurred_at"] for row in members]
        known = storage.timeline(subject_pk, thread_id, min(times), max(times))
        seats, next_sitting = sittings.assign(times, known, next_sitting)
        for row, number in zip(members, seats, strict=True):
            row["sitting"] = number
    return next_sitting


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON carries it: times in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _distinct(sources: tuple[Provenance, ...]) -> list[Provenance]:
    """Each (source, reference) once, the first mention winning."""
    return list({(source.source, source.ref): source for source in reversed(sources)}.values())[::-1]
