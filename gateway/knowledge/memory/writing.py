"""One write of many memories: who is new, who says what is known already, who does not fit the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import GatewayError
from gateway.knowledge.memory import sittings, storage
from gateway.knowledge.memory.drafts import Draft, check, combined
from gateway.knowledge.memory.errors import InvalidMemory, MemoryLimitReached
from gateway.knowledge.memory.types import ItemResult, NewMemory, Provenance, Subject


@dataclass(slots=True)
class Outcome:
    """What a checked item comes to: a new memory, or one more source of an old one."""

    index: int
    subject: Subject
    draft: Draft
    id: UUID
    created: bool
    changed: bool


@dataclass(slots=True)
class _Twin:
    """A memory that later items may equal: stored before, or earlier in this same batch."""

    id: UUID
    confidence: float
    sources: set[tuple[str, str]]
    row: dict[str, Any] | None = None  # of a memory that is not yet inserted
    grown: bool = False
    added: list[tuple[str, str | None, str | None]] = field(default_factory=list)


class Batch:
    """The items of one write. ``write`` runs inside a transaction; afterwards ``results`` tells each item's fate."""

    def __init__(
        self, items: Sequence[tuple[Subject, NewMemory]], *, now: datetime, created_by: str, limit: int | None
    ) -> None:
        self.items, self._now, self._created_by, self._limit = items, now, created_by, limit
        self._errors: dict[int, GatewayError] = {}
        self._checked: list[tuple[int, Subject, Draft]] = []
        self._outcomes: list[Outcome] = []
        for index, (subject, item) in enumerate(items):
            try:
                self._checked.append((index, subject, check(item, now)))
            except InvalidMemory as error:
                self._errors[index] = error

    @property
    def subjects(self) -> list[Subject]:
        """The subjects of the items that passed their checks, each once."""
        return list({subject.pk: subject for _, subject, _ in self._checked}.values())

    @property
    def created(self) -> list[Outcome]:
        return [outcome for outcome in self._outcomes if outcome.created]

    @property
    def changed(self) -> list[Outcome]:
        """New memories, and old ones that gained a source. Saying the same twice from one source changes nothing."""
        return [outcome for outcome in self._outcomes if outcome.changed]

    def results(self) -> list[ItemResult]:
        """One result per item, in the items' order."""
        found = {outcome.index: outcome for outcome in self._outcomes}
        return [
            ItemResult(index, error=self._errors[index])
            if index in self._errors
            else ItemResult(index, found[index].id, deduplicated=not found[index].created)
            for index in range(len(self.items))
        ]

    def write(self) -> None:
        """Store what is to be stored. Holds the subjects' locks from here to the end of the transaction."""
        held = storage.lock((subject.pk, subject.id) for subject in self.subjects)
        stored = storage.twins([(subject.pk, draft) for _, subject, draft in self._checked])
        twins = {key: _Twin(*values) for key, values in stored.items()}
        rows: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for index, subject, draft in self._checked:
            twin = twins.get((subject.pk, draft.content_hash))
            if twin is not None:
                grown = _grow(twin, draft)
                self._outcomes.append(Outcome(index, subject, draft, twin.id, created=False, changed=grown))
            elif self._limit is not None and held[subject.pk][0] + len(rows[subject.pk]) >= self._limit:
                self._errors[index] = MemoryLimitReached(subject.id, self._limit)
            else:
                row = self._row(subject, draft)
                rows[subject.pk].append(row)
                pairs = {(source.source, source.ref or "") for source in draft.sources}
                twins[subject.pk, draft.content_hash] = _Twin(row["id"], draft.confidence, pairs, row)
                self._outcomes.append(Outcome(index, subject, draft, row["id"], created=True, changed=True))
        self._store(twins, rows, {pk: sitting for pk, (_, sitting) in held.items()})

    def _store(
        self,
        twins: dict[tuple[UUID, bytes], _Twin],
        rows: dict[UUID, list[dict[str, Any]]],
        next_sittings: dict[UUID, int],
    ) -> None:
        for pk, new in rows.items():
            next_sittings[pk] = _seat(pk, new, next_sittings[pk])
        flat = [row for new in rows.values() for row in new]
        if flat:
            storage.insert([_plain(row) for row in flat])
        for twin in twins.values():
            if twin.grown and twin.row is None:
                storage.corroborate(twin.id, twin.confidence, twin.added, self._now)
        touched = {outcome.subject.pk for outcome in self.changed}
        if touched:
            storage.raise_versions({pk: (len(rows.get(pk, ())), next_sittings[pk]) for pk in touched})

    def _row(self, subject: Subject, draft: Draft) -> dict[str, Any]:
        return {
            "id": ids.uuid7(), "subject_pk": subject.pk, "persona_id": draft.persona_id, "type": draft.type,
            "slot": draft.slot, "body": draft.text, "value": draft.value, "speaker": draft.speaker,
            "thread_id": draft.thread_id, "occurred_at": draft.occurred_at, "valid_from": draft.valid_from,
            "valid_to": draft.valid_to, "recorded_at": self._now, "confidence": draft.confidence, "trust": draft.trust,
            "scope": draft.scope, "memory_scope": draft.memory_scope,
            "source_kinds": sorted({source.source for source in draft.sources} - {"proposal"}),
            "expires_at": draft.expires_at, "content_hash": draft.content_hash.hex(), "created_by": self._created_by,
            "proposal_id": draft.proposal_id,
            "sources": [_source(source, position) for position, source in enumerate(_distinct(draft.sources))],
        }  # fmt: skip


def _distinct(sources: tuple[Provenance, ...]) -> list[Provenance]:
    """Each (source, reference) once, the first mention winning."""
    return list({(source.source, source.ref): source for source in reversed(sources)}.values())[::-1]


def _source(source: Provenance, position: int) -> dict[str, Any]:
    return {"source": source.source, "ref": source.ref or "", "snippet": source.snippet, "position": position}


def _grow(twin: _Twin, draft: Draft) -> bool:
    """Add a draft's sources to the memory it equals; whether there was a new one. Only that makes a fact more
    certain."""
    fresh = [source for source in draft.sources if (source.source, source.ref or "") not in twin.sources]
    if not fresh:
        return False
    twin.confidence, twin.grown = combined(twin.confidence, draft.confidence), True
    for source in fresh:
        twin.sources.add((source.source, source.ref or ""))
        twin.added.append((source.source, source.ref, source.snippet))
        if twin.row is not None:
            twin.row["sources"].append(_source(source, len(twin.row["sources"])))
    if twin.row is not None:
        twin.row["confidence"] = twin.confidence
    return True


def _seat(subject_pk: UUID, rows: list[dict[str, Any]], next_sitting: int) -> int:
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
        for row, seat in zip(members, seats, strict=True):
            row["sitting"] = seat
    return next_sitting


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON carries it: times in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
