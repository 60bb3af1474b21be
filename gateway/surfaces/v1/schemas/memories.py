"""Shapes of memories on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from gateway.core import ids
from gateway.core.wire import Flag, Number, Whole, ZonedMoment
from gateway.knowledge.memory.types import (
    MAX_BATCH,
    MAX_K,
    MAX_LABEL,
    MAX_NAME,
    MAX_PII_TAGS,
    MAX_QUERY,
    MAX_RECALLED,
    MAX_REF,
    MAX_SNIPPET,
    MAX_TEXT,
    Memory,
    MemoryType,
    NewMemory,
    Provenance,
    Recall,
    RecalledMemory,
    Visibility,
)


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable characters, without spaces at either end")
    return text


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_printable)]
Label = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]


class ProvenanceIn(Schema):
    """Where a memory comes from: the collection, the item in it, its words."""

    model_config = ConfigDict(extra="forbid")
    source: Name = Field(examples=["gmail"])
    ref: str | None = Field(None, min_length=1, max_length=MAX_REF, examples=["msg_123"])
    snippet: str | None = Field(None, max_length=MAX_SNIPPET)
    span: list[Whole] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="Where in the item: [start, end) in characters.",
        examples=[[0, 22]],
    )

    def value(self) -> Provenance:
        return Provenance(self.source, self.ref, self.snippet, (self.span[0], self.span[1]) if self.span else None)


class MemoryIn(Schema):
    """One memory to write."""

    model_config = ConfigDict(extra="forbid")
    subject_id: Name = Field(examples=["usr_123"])
    text: str = Field(min_length=1, max_length=MAX_TEXT, examples=["Prefers tea over coffee."])
    provenance: ProvenanceIn
    type: MemoryType = MemoryType.FACT
    slot: Name | None = Field(None, description="The attribute it is a value of, such as home.city.")
    value: Any = Field(None, description="The same as data; plain JSON.")
    speaker: Name | None = None
    thread_id: Name | None = None
    occurred_at: ZonedMoment | None = Field(None, description="When it happened or was said; now unless given.")
    valid_from: ZonedMoment | None = Field(
        None, description="True from; unless given, occurred_at where that was sent and is not in the future."
    )
    valid_to: ZonedMoment | None = None
    expires_at: ZonedMoment | None = Field(None, description="Not recalled from this moment on.")
    scope: Visibility = Visibility.PRIVATE
    memory_scope: Name | None = Field(
        None, description="The source it is searched under; provenance.source unless given."
    )
    confidence: Number = Field(1.0, ge=0, le=1)
    persona_id: Name | None = Field(None, description="With scope private: only this persona recalls it.")
    about: Label | None = Field(None, description="Whom or what it is about, in a few words.")
    where: Label | None = None
    pii_tags: list[Name] = Field([], max_length=MAX_PII_TAGS, examples=[["schedule"]])
    extracted: Flag = Field(False, description="Read out of a conversation or a document by a program, not stated.")
    recalled: list[Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]] = Field(
        [],
        max_length=MAX_RECALLED,
        description="With extracted: ids or texts of what was recalled in the turn it was read out of.",
    )

    @property
    def searched_under(self) -> str:
        return self.memory_scope or self.provenance.source

    def new(self) -> NewMemory:
        values = {
            name: getattr(self, name) for name in type(self).model_fields if name not in {"subject_id", "provenance"}
        }
        values |= {"pii_tags": tuple(self.pii_tags), "recalled": tuple(self.recalled)}
        return NewMemory(provenance=self.provenance.value(), **values)


class BatchIn(Schema):
    """Up to 1,000 memories; each is stored or refused on its own."""

    model_config = ConfigDict(extra="forbid")
    items: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_BATCH)


class RecallIn(Schema):
    """A question to one subject's memories."""

    model_config = ConfigDict(extra="forbid")
    subject_id: Name
    query: str = Field(min_length=1, max_length=MAX_QUERY)
    k: Whole = Field(10, ge=1, le=MAX_K)
    memory_scopes: list[Name] | None = Field(None, max_length=50)
    types: list[MemoryType] | None = Field(None, max_length=len(MemoryType))
    persona_id: Name | None = Field(None, description="Leaves out what was told to another persona in private.")
    min_confidence: Number = Field(0.0, ge=0, le=1)
    as_of: ZonedMoment | None = Field(None, description="What was true then; not in the future.")
    known_at: ZonedMoment | None = Field(None, description="What was known then; not in the future.")
    explain: Flag = False
    only_relevant: Flag = Field(False, description="At most 5, and only what is likely to answer the question.")


class ProvenanceOut(Schema):
    """Where a memory came from; ``span`` is where in the item its words stand, [start, end) in characters."""

    source: str
    ref: str | None
    snippet: str | None
    span: list[int] | None

    @classmethod
    def of(cls, provenance: Provenance) -> ProvenanceOut:
        span = list(provenance.span) if provenance.span is not None else None
        return cls(source=provenance.source, ref=provenance.ref, snippet=provenance.snippet, span=span)


class MemoryOut(Schema):
    """One memory with the first of its sources. A correction is a memory of its own: ``previous_id`` is the one that it
    corrects, ``superseded_by`` the one that took over. ``hidden`` says that no recall finds it: a
    boundary covers it, or a source of it was taken back."""

    id: str
    namespace: str
    subject_id: str
    text: str
    type: str
    slot: str | None
    value: Any
    speaker: str | None
    thread_id: str | None
    occurred_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    expires_at: datetime | None
    recorded_at: datetime
    forgotten_at: datetime | None
    status: str
    scope: str
    memory_scope: str
    confidence: float
    trust: int
    persona_id: str | None
    provenance: ProvenanceOut
    created_by: str
    about: str | None
    where: str | None
    pii_tags: list[str]
    version: int
    previous_id: str | None
    superseded_by: str | None
    corrected: bool
    retired_at: datetime | None
    pinned_at: datetime | None
    silenced_at: datetime | None
    hidden: bool
    deduplicated: bool

    @classmethod
    def of(cls, memory: Memory) -> Self:
        own = {"id", "provenance", "previous_id", "superseded_by"}
        plain = {name: getattr(memory, name) for name in cls.model_fields if name not in own}
        return cls(
            id=memory.public_id,
            provenance=ProvenanceOut.of(memory.provenance),
            previous_id=ids.public("mem", memory.previous_id) if memory.previous_id else None,
            superseded_by=ids.public("mem", memory.superseded_by) if memory.superseded_by else None,
            **plain,
        )


class MemoryDetailOut(MemoryOut):
    """One memory with all of its sources, the one that is cited first."""

    sources: list[ProvenanceOut]

    @classmethod
    def with_sources(cls, memory: Memory, sources: Sequence[Provenance]) -> MemoryDetailOut:
        return cls(**dict(MemoryOut.of(memory)), sources=[ProvenanceOut.of(one) for one in sources])


class MemoryPage(Schema):
    data: list[MemoryOut]
    next_cursor: str | None


class RecalledOut(Schema):
    """One memory found, with the score it was ranked by."""

    id: str
    text: str
    type: str
    score: float
    confidence: float
    occurred_at: datetime
    provenance: ProvenanceOut
    memory_scope: str
    scores: dict[str, float] | None = None

    @classmethod
    def of(cls, memory: RecalledMemory) -> RecalledOut:
        return cls(
            id=memory.public_id,
            text=memory.text,
            type=memory.type,
            score=memory.score,
            confidence=memory.confidence,
            occurred_at=memory.occurred_at,
            provenance=ProvenanceOut.of(memory.provenance),
            memory_scope=memory.memory_scope,
            scores=memory.scores,
        )


class RecallOut(Schema):
    """What was found, best first; ``degraded`` when a part of the search was not available, ``nothing_found`` when none
    of it is likely to answer the question."""

    data: list[RecalledOut]
    cache_hit: bool
    degraded: bool
    nothing_found: bool

    @classmethod
    def of(cls, recall: Recall) -> RecallOut:
        data = [RecalledOut.of(memory) for memory in recall.memories]
        return cls(data=data, cache_hit=recall.cache_hit, degraded=recall.degraded, nothing_found=recall.nothing_found)


class BatchErrorOut(Schema):
    """Why one item was refused."""

    status: int
    code: str
    detail: str
    errors: list[dict[str, str]]


class BatchItemOut(Schema):
    """What became of one item: an id, a proposal (it contradicts what is trusted more) or an error. ``superseded`` are
    the memories that it took over from."""

    index: int
    id: str | None = None
    deduplicated: bool | None = None
    superseded: list[str] | None = None
    proposal_id: str | None = None
    error: BatchErrorOut | None = None


class BatchOut(Schema):
    data: list[BatchItemOut]
