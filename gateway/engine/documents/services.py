"""Writes of documents. What takes longer than a request is an operation (``running``)."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.db import IntegrityError, transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, FieldProblem, PayloadTooLarge
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.engine.documents.errors import DocumentBusy, DocumentNotFailed, DocumentNotFound
from gateway.engine.documents.models import DocumentPart, DocumentPassage, DocumentRow
from gateway.engine.documents.selectors import settle, shown, to_document
from gateway.engine.documents.types import MAX_BYTES, MAX_NAME, SOURCE, Document, EmbeddingState, Media, State
from gateway.knowledge.memory import embedding
from gateway.knowledge.memory.types import ORG_KNOWLEDGE
from gateway.platform.operations import services as operations
from tenants.types import Organization

INGEST, FORGET = "document.ingest", "document.forget"
_PART = 1024 * 1024


def known(organization: Organization, name: str, media_type: str, data: bytes) -> Document | None:
    """The document that has these bytes already; None when they would be a new one. Raises as ``upload`` does."""
    _checked(name, media_type, len(data))
    return _same_bytes(organization, hashlib.sha256(data).hexdigest())


def upload(
    organization: Organization,
    name: str,
    media_type: str,
    data: bytes,
    *,
    actor: Actor,
    request_id: UUID | None = None,
) -> tuple[Document, bool]:
    """Keep a document and have it read; (the document, whether it is new). The same bytes again are the same document.

    Raises BadRequest for a name or a kind that cannot be, PayloadTooLarge above 50 MB, DocumentBusy while a document of
    the same bytes is being forgotten.
    """
    name = _checked(name, media_type, len(data))
    digest = hashlib.sha256(data).hexdigest()
    try:
        with transaction.atomic():
            row = DocumentRow.objects.create(
                name=name, media_type=media_type, size=len(data), digest=digest, created_by=str(actor)
            )
            DocumentPart.objects.bulk_create(
                DocumentPart(document=row, position=at // _PART, data=data[at : at + _PART])
                for at in range(0, len(data), _PART)
            )
            _send(row, INGEST, actor, request_id)
            detail = {"size": row.size, "media_type": media_type, "sha256": digest}
            record(Change("document.uploaded", actor, _public(row), request_id=request_id, detail=detail))
    except IntegrityError:  # of two uploads of the same bytes at once, the second finds the first here
        there = _same_bytes(organization, digest)
        if there is None:
            raise
        return there, False
    return to_document(row), True


def _same_bytes(organization: Organization, digest: str) -> Document | None:
    row = DocumentRow.objects.filter(digest=digest).first()
    if row is not None and row.state == State.FORGETTING:
        told = f"A document of the same bytes ({_public(row)}) is being forgotten; upload it again when that is done."
        raise DocumentBusy(told, retry_after=5)
    return shown([row], organization)[0] if row is not None else None


def retry(organization: Organization, document_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Document:
    """Read a document again that could not be read, or have the passages of one embedded again that have no vector
    because that failed. Raises DocumentNotFound, DocumentNotFailed."""
    with transaction.atomic():
        row = _settled(document_id)
        if row.state == State.FAILED:
            row.state, row.error = State.PENDING, None
            _send(row, INGEST, actor, request_id)
            detail = {}
        else:
            detail = {"embedding": _embed_again(row, organization)}
        record(Change("document.retried", actor, _public(row), request_id=request_id, detail=detail))
    return shown([row], organization)[0]


def _embed_again(row: DocumentRow, organization: Organization) -> str:
    """Why embedding had failed. Raises DocumentNotFailed when it had not."""
    found = shown([row], organization)[0].embedding
    if found is None:
        raise DocumentNotFailed(f"The document is {row.state}; only a failed one is read again.")
    if found.state != EmbeddingState.FAILED or found.error_code is None:
        raise DocumentNotFailed(f"The document is {row.state}, and no embedding of its passages has failed.")
    memories = DocumentPassage.objects.filter(document_id=row.id).values_list("memory_id", flat=True)
    embedding.retry_some(organization, ORG_KNOWLEDGE.pk, memories)
    return found.error_code


def remove(document_id: UUID, *, actor: Actor, request_id: UUID | None = None) -> Document:
    """Forget a document and all its passages; asking twice is the same as once. Raises DocumentNotFound, DocumentBusy
    while it is being read."""
    with transaction.atomic():
        row = _settled(document_id)
        if row.state == State.PENDING:
            raise DocumentBusy("The document is being read; cancel its operation first, or wait.", retry_after=5)
        if row.state != State.FORGETTING:
            row.state = State.FORGETTING
            _send(row, FORGET, actor, request_id)
            record(Change("document.removed", actor, _public(row), request_id=request_id))
    return to_document(row)


def failed(document_id: UUID, code: str, detail: str) -> None:
    """Show that a document could not be read, and say so to whoever subscribed. One that is gone is nobody's
    trouble."""
    with transaction.atomic():
        row = DocumentRow.objects.select_for_update().filter(pk=document_id).first()
        if row is None or row.state != State.PENDING:
            return
        row.state, row.error = State.FAILED, {"code": code, "detail": detail[:500]}
        row.save(update_fields=["state", "error"])
        facts = {"source": SOURCE, "ref": _public(row), "code": code, "detail": detail[:500]}
        record(Change("document.failed", SYSTEM, _public(row), detail={"code": code}), Event("ingestion.error", facts))


def indexed(document_id: UUID, *, passages: int, pages: int | None) -> None:
    """Show that all of a document can be found."""
    with transaction.atomic():
        row = _locked(document_id)
        row.state, row.passages, row.pages, row.indexed_at = State.READY, passages, pages, clock.now()
        row.save(update_fields=["state", "passages", "pages", "indexed_at"])
        detail = {"passages": passages, "pages": pages}
        record(Change("document.indexed", SYSTEM, _public(row), detail=detail))


def content(document_id: UUID) -> bytes:
    """The document's bytes."""
    parts = DocumentPart.objects.filter(document_id=document_id).order_by("position")
    return b"".join(bytes(data) for data in parts.values_list("data", flat=True))


def _checked(name: str, media_type: str, size: int) -> str:
    name, problems = name.strip(), []
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        problems.append(FieldProblem("#/name", "length", f"must have 1 to {MAX_NAME} printable characters"))
    if media_type not in list(Media):
        problems.append(FieldProblem("#/media_type", "unknown_value", f"must be one of {', '.join(Media)}"))
    if not size:
        problems.append(FieldProblem("#/text", "length", "must not be empty"))
    if problems:
        first = problems[0]
        raise BadRequest(f"{first.pointer.removeprefix('#/')} {first.message}.", problems=tuple(problems))
    if size > MAX_BYTES:
        raise PayloadTooLarge(f"A document has at most {MAX_BYTES} bytes, not {size}.")
    return name


def _send(row: DocumentRow, kind: str, actor: Actor, request_id: UUID | None) -> None:
    sent = operations.start(kind, actor=actor, payload={"document_id": str(row.id)}, request_id=request_id)
    row.operation_id = sent.id
    row.save()


def _locked(document_id: UUID) -> DocumentRow:
    row: DocumentRow | None = DocumentRow.objects.select_for_update().filter(pk=document_id).first()
    if row is None:
        raise DocumentNotFound("There is no such document.")
    return row


def _settled(document_id: UUID) -> DocumentRow:
    """The locked row; one whose operation ended without reading it has failed, whoever died."""
    row = _locked(document_id)
    settle([row])
    return row


def _public(row: DocumentRow) -> str:
    return ids.public("doc", row.id)
