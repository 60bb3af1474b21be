"""Reads of documents."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.engine.documents import embedded
from gateway.engine.documents.errors import DocumentNotFound
from gateway.engine.documents.models import DocumentPassage, DocumentRow
from gateway.engine.documents.types import Document, State, StoredPassage
from gateway.knowledge.memory import selectors as memory
from gateway.platform.operations import selectors as operations
from tenants.types import Organization


def get(document_id: UUID, organization: Organization) -> Document:
    """One document. Raises DocumentNotFound."""
    row = DocumentRow.objects.filter(pk=document_id).first()
    if row is None:
        raise DocumentNotFound("There is no such document.")
    return shown([row], organization)[0]


def page(
    organization: Organization,
    *,
    state: State | None = None,
    text: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
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
    return cut(shown(list(rows[: size + 1]), organization), size, key=lambda document: document.id)


def passages(document_id: UUID, *, first: int = 1, limit: int = 50) -> list[StoredPassage]:
    """A document's passages from number ``first`` on. Raises DocumentNotFound."""
    if not DocumentRow.objects.filter(pk=document_id).exists():
        raise DocumentNotFound("There is no such document.")
    rows = DocumentPassage.objects.filter(document_id=document_id, position__gte=first).order_by("position")
    found = list(rows[:limit])
    texts = memory.texts(row.memory_id for row in found)
    return [
        StoredPassage(row.position, row.page, row.heading, row.memory_id, texts[row.memory_id])
        for row in found
        if row.memory_id in texts
    ]


def shown(rows: list[DocumentRow], organization: Organization) -> list[Document]:
    """The rows as they are to be seen, those that are ready with how far their embedding is."""
    settle(rows)
    found = embedded.progress([row.id for row in rows if row.state == State.READY], organization)
    return [replace(to_document(row), embedding=found.get(row.id)) for row in rows]


def settle(rows: list[DocumentRow]) -> None:
    """A document whose operation ended without reading it has failed, whoever died."""
    for row in rows:
        if row.state == State.PENDING and row.operation_id is not None:
            ended = operations.failure(row.operation_id)
            if ended is not None:
                row.state, row.error = State.FAILED, ended


def to_document(row: DocumentRow) -> Document:
    return Document(
        row.id, row.name, row.media_type, row.size, row.digest, State(row.state), row.pages, row.passages, row.error,
        row.operation_id, row.created_at, row.created_by, row.indexed_at,
    )  # fmt: skip
