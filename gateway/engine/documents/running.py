"""The two operations of documents: reading one into passages, and forgetting it again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import ids
from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.engine.documents import reading, services
from gateway.engine.documents.errors import UnreadableDocument
from gateway.engine.documents.models import DocumentPassage, DocumentRow
from gateway.engine.documents.passages import cut
from gateway.engine.documents.types import MAX_PASSAGES, SOURCE, Media, Passage, State
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory import sources, storage
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, MemoryType, NewMemory, Provenance, Visibility
from gateway.platform.operations.registry import OperationRun, runner

_ACTOR = Actor("system", "documents")
_BATCH, _SNIPPET = 100, 1_000


@runner(services.INGEST)
def ingest(operation: OperationRun) -> dict[str, Any]:
    """Read a document and store its passages. A run that was lost goes on with the batch after the last stored one; a
    batch that is stored twice finds itself there."""
    document_id = UUID(operation.payload["document_id"])
    row = DocumentRow.objects.filter(pk=document_id, state=State.PENDING).first()
    if row is None:
        return {"passages": 0}
    try:
        found = reading.pages(services.content(document_id), row.media_type)
        passages = list(cut(found, markdown=row.media_type == Media.MARKDOWN))
        if len(passages) > MAX_PASSAGES:
            detail = f"The document has {len(passages)} passages, at most {MAX_PASSAGES}. Split it."
            raise UnreadableDocument(detail, code="document_too_long")
        for start in range(operation.done, len(passages), _BATCH):
            batch = passages[start : start + _BATCH]
            _store(row, batch)
            operation.advance(batch[-1].position, total=len(passages))
    except GatewayError as error:
        if error.http_status < 500:  # ours is tried again; the document's will not get better
            services.failed(document_id, error.code, error.detail)
        raise
    services.indexed(document_id, passages=len(passages), pages=len(found) if row.media_type == Media.PDF else None)
    return {"document_id": ids.public("doc", document_id), "passages": len(passages)}


def _store(row: DocumentRow, batch: list[Passage]) -> None:
    with transaction.atomic():
        items = [(ORG_KNOWLEDGE, _memory(row, passage)) for passage in batch]
        stored = memory.create_many(items, actor=_ACTOR, limit_per_subject=None)
        DocumentPassage.objects.bulk_create(
            (
                DocumentPassage(
                    document=row,
                    position=passage.position,
                    page=passage.page,
                    heading=passage.heading,
                    memory_id=result.stored,
                )
                for passage, result in zip(batch, stored, strict=True)
            ),
            ignore_conflicts=True,
        )


def _memory(row: DocumentRow, passage: Passage) -> NewMemory:
    """The passage as recall finds it: with the way to it in its words, since a paragraph rarely repeats its heading."""
    way = " › ".join(part for part in (row.name, passage.heading) if part)
    return NewMemory(
        text=f"{way}\n{passage.text}",
        provenance=Provenance(SOURCE, _ref(row.id, passage.position), passage.text[:_SNIPPET], passage.span),
        type=MemoryType.DOC,
        scope=Visibility.ORG,
        memory_scope=SOURCE,
        thread_id=ids.public("doc", row.id),
        occurred_at=row.created_at,
        about=way[:512],
    )


def _ref(document_id: UUID, position: int) -> str:
    return f"{ids.public('doc', document_id)}#{position}"


@runner(services.FORGET)
def forget(operation: OperationRun) -> dict[str, Any]:
    """Forget a document's passages, then the document. What another document says in the same words stays, and is
    cited from there."""
    document_id = UUID(operation.payload["document_id"])
    done = operation.done
    while batch := list(DocumentPassage.objects.filter(document_id=document_id).order_by("position")[:_BATCH]):
        with transaction.atomic():
            # Whoever stores the same words at this moment does so before this looks, or afterwards anew.
            storage.lock([(ORG_KNOWLEDGE.pk, ORG_KNOWLEDGE.id)])
            mine = {passage.memory_id for passage in batch}
            DocumentPassage.objects.filter(document_id=document_id, position__lte=batch[-1].position).delete()
            shared = set(DocumentPassage.objects.filter(memory_id__in=mine).values_list("memory_id", flat=True))
            for memory_id in sorted(mine - shared):
                memory.forget(memory_id, actor=_ACTOR)
            gone = [(one.memory_id, _ref(document_id, one.position)) for one in batch if one.memory_id in shared]
            sources.withdraw(ORG_KNOWLEDGE.pk, SOURCE, gone)
        done += len(batch)
        operation.advance(done)
    DocumentRow.objects.filter(pk=document_id, state=State.FORGETTING).delete()
    return {"document_id": ids.public("doc", document_id), "passages": done}
