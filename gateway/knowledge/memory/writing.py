"""One write of many memories: who is new, who says what is known already, who takes over from whom, who has to be asked
about, who does not fit the plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core.errors import GatewayError
from gateway.knowledge.memory import embedding, facts, guards, rows, storage
from gateway.knowledge.memory.drafts import Draft, check, combined
from gateway.knowledge.memory.errors import InvalidMemory, MemoryLimitReached
from gateway.knowledge.memory.placement import EVERYTHING, Fact, Kind, Placement, Reach, claim_of, place
from gateway.knowledge.memory.types import ItemResult, NewMemory, Provenance, Status, Subject
from gateway.knowledge.memory.wording import same_words

_NOBODY = UUID(int=0)


@dataclass(slots=True)
class Outcome:
    """What a checked item comes to: a new memory, or one more source of an old one. ``superseded`` are those that it
    took over from."""

    index: int
    subject: Subject
    draft: Draft
    id: UUID
    created: bool
    changed: bool
    superseded: tuple[UUID, ...] = ()
    history: bool = False


@dataclass(slots=True)
class Question:
    """An item that contradicts what is trusted more; it becomes a proposal."""

    index: int
    subject: Subject
    draft: Draft
    rivals: tuple[Fact, ...]


@dataclass(slots=True)
class _Twin:
    """A memory that later items may equal: stored before, or earlier in this same batch."""

    id: UUID
    text: str
    confidence: float
    sources: set[tuple[str, str]]
    row: dict[str, Any] | None = None  # of a memory that is not yet inserted
    grown: bool = False
    trust: int = 0
    lineages: list[str] = field(default_factory=list)
    added: list[Provenance] = field(default_factory=list)


class Batch:
    """The items of one write. ``write`` runs inside a transaction; afterwards ``results`` tells each item's fate, and
    ``questions`` are those that somebody has to be asked about."""

    def __init__(
        self,
        items: Sequence[tuple[Subject, NewMemory]],
        *,
        now: datetime,
        created_by: str,
        limit: int | None,
        reach: Reach = EVERYTHING,
    ) -> None:
        self.items, self._now, self._created_by, self._limit, self._reach = items, now, created_by, limit, reach
        self.questions: list[Question] = []
        self._errors: dict[int, GatewayError] = {}
        self._proposals: dict[int, UUID] = {}
        self._checked: list[tuple[int, Subject, Draft]] = []
        self._outcomes: list[Outcome] = []
        self._rows: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        self._gained: Counter[UUID] = Counter()
        self._before: dict[UUID, int] = {}
        self._twins: dict[tuple[UUID, bytes], _Twin] = {}
        self._replaced: dict[tuple[UUID, bytes], storage.Stored] = {}
        self._by_id: dict[UUID, _Twin] = {}
        self._sources: dict[UUID, set[tuple[str, str]]] = {}
        self._closed: set[UUID] = set()
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

    def answer(self, index: int, *, proposal_id: UUID | None = None, error: GatewayError | None = None) -> None:
        """What became of a question: the proposal, or why there is none."""
        if proposal_id is not None:
            self._proposals[index] = proposal_id
        elif error is not None:
            self._errors[index] = error

    def results(self) -> list[ItemResult]:
        """One result per item, in the items' order."""
        found = {outcome.index: outcome for outcome in self._outcomes}
        return [self._result(index, found.get(index)) for index in range(len(self.items))]

    def _result(self, index: int, outcome: Outcome | None) -> ItemResult:
        if outcome is None:
            return ItemResult(index, error=self._errors.get(index), proposal_id=self._proposals.get(index))
        return ItemResult(
            index, outcome.id, deduplicated=not outcome.created, superseded=outcome.superseded, history=outcome.history
        )

    def write(self) -> None:
        """Store what is to be stored. Holds the subjects' locks from here to the end of the transaction."""
        held = storage.lock((subject.pk, subject.id) for subject in self.subjects)
        self._before = {pk: state.count for pk, state in held.items()}
        drafts = [(subject.pk, draft) for _, subject, draft in self._checked]
        guard = guards.Guard(drafts, {pk: set(state.revoked) for pk, state in held.items()})
        known = facts.of_slots(drafts)
        self._sources = facts.sources_that_agree(drafts, known)
        for key, stored in storage.twins(drafts).items():
            if stored.replaced:
                self._replaced[key] = stored
            else:
                self._twins[key] = self._by_id[stored.id] = _Twin(
                    stored.id, stored.text, stored.confidence, stored.sources
                )
        for index, subject, draft in self._checked:
            refusal = guard.refusal(subject.pk, draft)
            if refusal is not None:
                self._errors[index] = refusal
            else:
                self._write_one(index, subject, draft, known.get((subject.pk, draft.slot or ""), []))
        guards.lift((outcome.subject.pk, outcome.draft) for outcome in self._outcomes if not outcome.draft.extracted)
        self._save(known, {pk: state.next_sitting for pk, state in held.items()})

    def _write_one(self, index: int, subject: Subject, draft: Draft, same_slot: list[Fact]) -> None:
        key = subject.pk, draft.content_hash
        twin = self._twins.get(key)
        if twin is not None and twin.id in self._closed:
            twin = None  # an item of this same batch took over from it
        pairs = {(source.source, source.ref or "") for source in draft.sources}
        if twin is None and (old := self._replaced.get(key)) and (draft.extracted or pairs & old.sources):
            # The same source read again does not undo a correction.
            self._outcomes.append(Outcome(index, subject, draft, storage.head(old.id), created=False, changed=False))
            return
        placed = place(claim_of(draft), same_slot, reach=self._reach)
        if twin is not None and placed.kind == Kind.NEW and twin.id not in {rival.id for rival in placed.rivals}:
            placed = Placement(Kind.CORROBORATES)
        if placed.kind == Kind.CORROBORATES:
            twin = self._twin_of(placed) if placed.twin or twin is None else twin
            grown = _grow(twin, draft)
            self._outcomes.append(Outcome(index, subject, draft, twin.id, created=False, changed=grown))
        elif placed.kind == Kind.PROPOSE:
            self.questions.append(Question(index, subject, draft, placed.rivals))
        elif self._is_full(subject, placed):
            self._errors[index] = MemoryLimitReached(subject.id, self._limit or 0)
        else:
            row = self._store(index, subject, draft, placed)
            self._twins[key] = self._by_id[row["id"]] = _Twin(row["id"], draft.text, draft.confidence, pairs, row)
            same_slot.append(rows.fact_of(row, draft))

    def _is_full(self, subject: Subject, placed: Placement) -> bool:
        """Whether the plan leaves no place: history takes none, and whoever takes over has the other's."""
        if self._limit is None or placed.kind == Kind.HISTORY or placed.rivals:
            return False
        return self._before[subject.pk] + self._gained[subject.pk] >= self._limit

    def _twin_of(self, placed: Placement) -> _Twin:
        """The fact of the same slot and value, as something to add sources to."""
        fact = placed.twin
        if fact is None:
            raise RuntimeError("a corroborating item has a fact to corroborate")
        twin = self._by_id.get(fact.id)
        if twin is None:
            twin = self._by_id[fact.id] = _Twin(fact.id, fact.text, fact.confidence, self._sources[fact.id])
            self._twins[_NOBODY, fact.id.bytes] = twin  # under no text: it is another item's words that it equals
        return twin

    def _store(self, index: int, subject: Subject, draft: Draft, placed: Placement) -> dict[str, Any]:
        """The new row, and what it does to its rivals."""
        row = rows.row_of(subject.pk, draft, now=self._now, created_by=self._created_by)
        is_history = placed.kind == Kind.HISTORY
        if is_history:
            row |= {
                "status": Status.SUPERSEDED, "retired_at": self._now, "valid_to": placed.until,
                "superseded_by": placed.successor,
            }  # fmt: skip
        else:
            self._gained[subject.pk] += 1
        taken = []
        for rival in placed.rivals:
            was_current = rival.is_current
            rival.close(row["id"], draft.begins, self._now)
            if not rival.is_current:
                taken.append(rival.id)
                self._closed.add(rival.id)
                self._gained[subject.pk] -= was_current
        self._rows[subject.pk].append(row)
        self._outcomes.append(
            Outcome(index, subject, draft, row["id"], True, True, () if is_history else tuple(taken), is_history)
        )
        return row

    def _save(self, known: facts.Facts, next_sittings: dict[UUID, int]) -> None:
        for pk, new in self._rows.items():
            next_sittings[pk] = rows.seat(pk, new, next_sittings[pk])
        flat = [row for new in self._rows.values() for row in new]
        facts.write_back(fact for same_slot in known.values() for fact in same_slot)
        if flat:
            storage.insert([rows.plain(row) for row in flat])
            embedding.wanted(self._rows)
        grown = [twin for twin in self._twins.values() if twin.grown and twin.row is None]
        if grown:
            added = [
                {"id": twin.id, "place": place, **rows.source_of(source, place)}
                for twin in grown
                for place, source in enumerate(twin.added)
            ]
            changed = [
                {"id": twin.id, "confidence": twin.confidence, "trust": twin.trust, "lineages": twin.lineages}
                for twin in grown
            ]
            storage.corroborate(changed, added, self._now)
        touched = {outcome.subject.pk for outcome in self.changed}
        if touched:
            storage.raise_versions({pk: (self._gained[pk], next_sittings[pk]) for pk in touched})


def _grow(twin: _Twin, draft: Draft) -> bool:
    """Add a draft's sources to the memory it equals; whether there was a new one. Only that makes a fact more certain
    and, in the same words, gives it a lineage of its own."""
    fresh = [source for source in draft.sources if (source.source, source.ref or "") not in twin.sources]
    if not fresh:
        return False
    twin.confidence, twin.grown = combined(twin.confidence, draft.confidence), True
    twin.trust = max(twin.trust, draft.trust)
    if same_words(twin.text) == same_words(draft.text):
        twin.lineages.append(draft.lineage)
    for source in fresh:
        twin.sources.add((source.source, source.ref or ""))
        twin.added.append(source)
        if twin.row is not None:
            twin.row["sources"].append(rows.source_of(source, len(twin.row["sources"])))
    if twin.row is not None:
        twin.row |= {
            "confidence": twin.confidence, "trust": max(twin.row["trust"], twin.trust),
            "lineages": sorted(set(twin.lineages)) or None,
        }  # fmt: skip
    return True
