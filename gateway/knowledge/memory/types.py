"""Memories as the rest of the code sees them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import GatewayError

MAX_TEXT = 16_000
MAX_SNIPPET = 1_000
MAX_NAME = 128
MAX_LABEL = 512
MAX_REF = 512
MAX_POSITION = 2**31 - 1
MAX_VALUE_BYTES = 8_192
MAX_BATCH = 1_000
MAX_PII_TAGS = 20
MAX_RECALLED = 200
MAX_QUERY = 4_000
# Between the sources of one lineage of a memory; no name has it.
LINEAGE = "\x1f"
MAX_K = 100


class MemoryType(StrEnum):
    """What a memory is about. Extensible: a new member needs no migration."""

    EVENT = "event"
    RECEIPT = "receipt"
    TRAVEL = "travel"
    PREFERENCE = "preference"
    DOC = "doc"
    FACT = "fact"
    RELATIONSHIP = "relationship"
    EMOTION = "emotion"
    FUTURE_EVENT = "future_event"


class Visibility(StrEnum):
    """``scope``: who may recall it. A private memory that was told to one persona stays with that persona."""

    PRIVATE = "private"
    ORG = "org"
    SHARED = "shared"


class Status(StrEnum):
    """``superseded`` has two kinds, told apart by the column ``corrected``. A newer fact of the same slot closed it: it
    was true until ``valid_to``, and ``as_of`` before that still finds it, although ``retired_at`` is set (since then it
    is no longer believed to go on). A correction replaced it (``corrected``): it was never true, so only ``known_at``
    before ``retired_at`` finds it."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    SILENCED = "silenced"
    FORGOTTEN = "forgotten"


class _Organization:
    """The pseudo subject under which passages of the organization's own documents are memories (type ``doc``,
    ``memory_scope`` ``org_kb``, ``scope`` ``org``). No caller can name it: it is not in the subjects' table."""

    __slots__ = ()
    pk = UUID(int=1)
    id = "@organization"


ORG_KNOWLEDGE = _Organization()


class Subject(Protocol):
    """Whoever a memory is about, by both names. ``subjects.SubjectRef`` fits; the two slices are strangers."""

    @property
    def pk(self) -> UUID: ...
    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a memory came from: ``source`` names the collection (``gmail``), ``ref`` the item in it, ``snippet`` its
    words, ``span`` where in the item they stand: [start, end) in characters."""

    source: str
    ref: str | None = None
    snippet: str | None = None
    span: tuple[int, int] | None = None

    @property
    def uri(self) -> str | None:
        """``gmail://msg_123``; None without a reference."""
        return f"{self.source}://{self.ref}" if self.ref else None


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory to write, not yet checked. Times are aware; ``memory_scope`` is the provenance's source unless given.

    ``extracted`` says that no person wrote it: it was read out of a conversation or a document by a program. Such a one
    never brings back what was forgotten, repeats what was ``recalled`` in the same turn (texts, or ids ``mem_…``), or
    makes the assistant's own words a fact about the subject.
    """

    text: str
    provenance: Provenance
    type: str = MemoryType.FACT
    slot: str | None = None
    value: Any = None
    speaker: str | None = None
    thread_id: str | None = None
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    scope: str = Visibility.PRIVATE
    memory_scope: str | None = None
    confidence: float = 1.0
    persona_id: str | None = None
    proposal_id: UUID | None = None
    further_sources: tuple[Provenance, ...] = ()
    about: str | None = None
    where: str | None = None
    pii_tags: tuple[str, ...] = ()
    extracted: bool = False
    recalled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory with the first of its sources. ``deduplicated`` is true only in the answer to a write that found it
    there; ``namespace`` is ``org_…_user_…``. ``version`` counts corrections, each being a row of its own:
    ``previous_id`` is the row that this one corrects, ``superseded_by`` the one that took over. In the answer to
    forgetting, silencing and their undoing, ``also`` are the memories with the same words that went along, and
    ``beyond_reach`` counts those that whoever asked may not touch."""

    id: UUID
    subject_pk: UUID
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
    confidence: float
    trust: int
    scope: str
    memory_scope: str
    persona_id: str | None
    provenance: Provenance
    created_by: str
    namespace: str = ""
    about: str | None = None
    where: str | None = None
    pii_tags: tuple[str, ...] = ()
    retired_at: datetime | None = None
    superseded_by: UUID | None = None
    previous_id: UUID | None = None
    version: int = 1
    corrected: bool = False
    hidden: bool = False
    pinned_at: datetime | None = None
    silenced_at: datetime | None = None
    deduplicated: bool = False
    also: tuple[UUID, ...] = ()
    beyond_reach: int = 0

    @property
    def public_id(self) -> str:
        return ids.public("mem", self.id)

    @property
    def audience(self) -> str | None:
        """The one persona that may recall it; None for all."""
        return self.persona_id if self.scope == Visibility.PRIVATE else None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of a batch: an id, the proposal it became instead, or the error that kept it out.
    ``superseded`` are the memories that it took over from; ``history`` says that it came late and was stored as
    history."""

    index: int
    id: UUID | None = None
    deduplicated: bool = False
    error: GatewayError | None = None
    proposal_id: UUID | None = None
    superseded: tuple[UUID, ...] = ()
    history: bool = False

    @property
    def stored(self) -> UUID:
        """The memory's id; raises the item's error when there is none."""
        if self.error is not None:
            raise self.error
        if self.id is None:
            raise RuntimeError("an item has an id or an error")
        return self.id


@dataclass(frozen=True, slots=True)
class Meaning:
    """A question in a model's space: compared with the memories' embeddings of the same model."""

    model_id: str
    vector: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """A question to one subject's memories. ``None`` for a list means no restriction, an empty one allows nothing.

    ``personas``: private memories that were told to another persona stay hidden; ``visibilities``: memories of another
    ``scope`` do. ``as_of`` asks what was true then,
    ``known_at`` what was known to us then. ``only_relevant`` asks for what answers the question, at most 5, instead of
    the best ``k``. With ``meaning_expected`` an answer found without a meaning says ``degraded``.
    """

    subject_pk: UUID
    query: str
    k: int = 10
    memory_scopes: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    personas: tuple[str, ...] | None = None
    visibilities: tuple[str, ...] | None = None
    min_confidence: float = 0.0
    as_of: datetime | None = None
    known_at: datetime | None = None
    explain: bool = False
    only_relevant: bool = False
    meaning: Meaning | None = field(default=None, compare=False)
    meaning_expected: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """One answer, best first. ``score`` (0 to 1) is how likely it answers the question; ``scores`` has what each signal
    said when asked to explain."""

    id: UUID
    text: str
    type: str
    score: float
    confidence: float
    occurred_at: datetime
    provenance: Provenance
    memory_scope: str
    scores: dict[str, float] | None = None
    visible_until: datetime | None = field(default=None, repr=False)

    @property
    def public_id(self) -> str:
        return ids.public("mem", self.id)

    @property
    def uri(self) -> str:
        """What a citation points to: the source's item, or the memory itself when the source gave no reference."""
        return self.provenance.uri or f"memory://{self.public_id}"


@dataclass(frozen=True, slots=True)
class Recall:
    """The memories found, and the subject's memory version that they were read at. ``nothing_found``: none of them is
    likely to answer the question. ``cached`` names the cache entry that answered and the whole seconds that it has
    left."""

    memories: tuple[RecalledMemory, ...]
    cache_hit: bool
    degraded: bool
    version: int
    cached: tuple[Hashable, int] | None = None
    nothing_found: bool = False
