"""Shapes of documents on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.engine.documents.types import MAX_NAME, Document, Embedding, Media, StoredPassage


class DocumentIn(Schema):
    """A document as JSON; bytes of any kind may be the body itself instead, with their own ``Content-Type``."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME, examples=["Handbook"])
    text: str = Field(min_length=1)
    media_type: Media = Media.MARKDOWN


class DocumentEmbeddingOut(Schema):
    """Passages with a vector of the organization's model, without one yet, and refused by it. ``failed``: some were
    refused, or the model gives no vectors at the moment; ``error_code`` says why. ``off``: nothing embeds."""

    state: Literal["pending", "done", "failed", "off"]
    embedded: int
    pending: int
    failed: int
    error_code: str | None

    @classmethod
    def of(cls, found: Embedding) -> DocumentEmbeddingOut:
        return cls(
            state=found.state.value,
            embedded=found.embedded,
            pending=found.pending,
            failed=found.failed,
            error_code=found.error_code,
        )


class DocumentOut(Schema):
    """One document. ``error`` says why one that failed could not be read; ``operation_id`` is what reads it;
    ``embedding`` is null until it is ready."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    state: str
    pages: int | None
    passages: int
    error: dict[str, str] | None
    operation_id: str | None
    created_at: datetime
    created_by: str
    indexed_at: datetime | None
    embedding: DocumentEmbeddingOut | None

    @classmethod
    def of(cls, found: Document) -> DocumentOut:
        return cls(
            id=found.public_id,
            name=found.name,
            media_type=found.media_type,
            size=found.size,
            sha256=found.digest,
            state=found.state,
            pages=found.pages,
            passages=found.passages,
            error=found.error,
            operation_id=ids.public("op", found.operation_id) if found.operation_id else None,
            created_at=found.created_at,
            created_by=found.created_by,
            indexed_at=found.indexed_at,
            embedding=DocumentEmbeddingOut.of(found.embedding) if found.embedding else None,
        )


class DocumentPage(Schema):
    data: list[DocumentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Document]) -> DocumentPage:
        return cls(data=[DocumentOut.of(one) for one in found.data], next_cursor=found.next_cursor)


class DocumentAccepted(Schema):
    """The document, and whether it was there before; ``operation`` as ``GET /v1/operations/{id}`` shows it."""

    document: DocumentOut
    deduplicated: bool
    operation: dict[str, Any] | None


class PassageOut(Schema):
    """``position`` counts from 1 and stands in a citation's uri: ``org_kb://doc_…#position``."""

    position: int
    page: int | None
    heading: str | None
    memory_id: str
    text: str

    @classmethod
    def of(cls, found: StoredPassage) -> PassageOut:
        return cls(
            position=found.position,
            page=found.page,
            heading=found.heading,
            memory_id=ids.public("mem", found.memory_id),
            text=found.text,
        )


class PassagePage(Schema):
    """``next_first`` is the ``first`` of the next page, null at the end."""

    data: list[PassageOut]
    next_first: int | None
