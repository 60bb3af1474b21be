"""Documents as the rest of the code sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from gateway.core import ids

SOURCE = "org_kb"
MAX_NAME = 200
MAX_BYTES = 50 * 1024 * 1024
MAX_PASSAGES = 20_000


class Media(StrEnum):
    """What can be read."""

    TEXT = "text/plain"
    MARKDOWN = "text/markdown"
    PDF = "application/pdf"


class State(StrEnum):
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    FORGETTING = "forgetting"


class EmbeddingState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Embedding:
    """How many passages have a vector of the organization's model, have none yet, and were refused by it.
    ``error_code`` says why it failed: the model refused a passage, or gives no vectors at the moment."""

    state: EmbeddingState
    embedded: int = 0
    pending: int = 0
    failed: int = 0
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One document. ``size`` is bytes, ``digest`` the SHA-256 of its content; ``error`` is ``{"code", "detail"}`` of
    one that could not be read; ``embedding`` is of one that is ready."""

    id: UUID
    name: str
    media_type: str
    size: int
    digest: str
    state: State
    pages: int | None
    passages: int
    error: dict[str, str] | None
    operation_id: UUID | None
    created_at: datetime
    created_by: str
    indexed_at: datetime | None
    embedding: Embedding | None = None

    @property
    def public_id(self) -> str:
        return ids.public("doc", self.id)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: ``position`` counts from 1, ``page`` is None where there are none, ``heading`` is the way
    to it, ``span`` where it stands: [start, end) in characters of its page, or of the whole text where there are none.
    """

    position: int
    text: str
    page: int | None = None
    heading: str | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage and the memory that it is."""

    position: int
    page: int | None
    heading: str | None
    memory_id: UUID
    text: str
