"""Reads of documents."""

from __future__ import annotations

from uuid import UUID

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.engine.documents.errors import DocumentNotFound
from gateway.engine.documents.models import DocumentPassage, DocumentRow
from gateway.engine.documents.types import Document, State, StoredPassage
from gateway.knowledge.memory import selectors as memory
from gateway.platform.operations import selectors as operations


def get(document_id: UUID) -> Document:
    """One document. Raises DocumentNotFound."""
    row = DocumentRow.objects.filter(pk=document_id).first()
    if row is None:
        raise DocumentNotFound("There is no such document.")
    return shown([row])[0]


def page(
    *, state: State | None = None, text: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Page[Document]:
    """Documents, newest first; ``text`` is part of their name."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = DocumentRow.objects.order_by("-id")
    if state is not None:
        rows = rows.filter(state=state)
    if text:
        rows = rows.filter(name__icontains=text)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return cut(shown(list(rows[: size + 1])), size, key=lambda document: document.id)


def passages(document_id: UUID, *, first: int = 1, limit: int = 50) -> list[StoredPassage]:
    """A document's passages from number ``first`` on. Raises DocumentNotFound."""
    get(document_id)
    rows = DocumentPassage.objects.filter(document_id=document_id, position__gte=first).order_by("position")
    found = list(rows[:limit])
    texts = memory.texts(row.memory_id for row in found)
    return [
        StoredPassage(row.position, row.page, row.heading, row.memory_id, texts[row.memory_id])
        for row in found
        if row.memory_id in texts
    ]


def shown(rows: list[DocumentRow]) -> list[Document]:
    """The rows as they are to be seen: one whose operation ended without reading it has failed, whoever died."""
    found = []
    for row in rows:
        if row.state == State.PENDING and row.operation_id is not None:
            ended = operations.failure(row.operation_id)
            if ended is not None:
                row.state, row.error = State.FAILED, ended
        found.append(to_document(row))
    return found


def to_document(row: DocumentRow) -> Document:
    return Document(
        row.id, row.name, row.media_type, row.size, row.digest, State(row.state), row.pages, row.passages, row.error,
        row.operation_id, row.created_at, row.created_by, row.indexed_at,
    )  # fmt: skip
