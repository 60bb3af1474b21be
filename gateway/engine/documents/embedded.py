"""How far the passages of documents are with the organization's model: what of them is found by its meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Count

from gateway.engine.documents.models import DocumentPassage
from gateway.engine.documents.types import Embedding, EmbeddingState
from gateway.knowledge.memory import selectors as memory
from gateway.platform import embeddings
from gateway.platform.embeddings import turns
from tenants.types import Organization


def progress(document_ids: Sequence[UUID], organization: Organization) -> dict[UUID, Embedding]:
    """One query for all of these documents, which are ready: about 50 ms for 10,000 passages."""
    model = embeddings.active_model(organization)
    if model is None:
        return dict.fromkeys(document_ids, Embedding(EmbeddingState.OFF))
    if not document_ids:
        return {}
    counted = (
        DocumentPassage.objects.filter(document_id__in=document_ids)
        .order_by()
        .values_list("document_id", memory.embedding_outcome("memory_id", model))
        .annotate(passages=Count("position"))
    )
    outcomes: dict[UUID, Counter[str | None]] = {pk: Counter() for pk in document_ids}
    for pk, outcome, passages in counted:
        outcomes[pk][outcome] = passages
    return _stalled({pk: _embedding(found) for pk, found in outcomes.items()}, organization, model)


def _embedding(outcomes: Counter[str | None]) -> Embedding:
    embedded, pending = outcomes.pop(memory.EMBEDDED, 0), outcomes.pop(None, 0)
    state = EmbeddingState.FAILED if outcomes else EmbeddingState.PENDING if pending else EmbeddingState.DONE
    codes = [code for code, _ in outcomes.most_common(1)]
    return Embedding(state, embedded, pending, outcomes.total(), codes[0] if codes else None)


def _stalled(found: dict[UUID, Embedding], organization: Organization, model: str) -> dict[UUID, Embedding]:
    """What is pending has failed while the model gives no vectors to anybody."""
    waiting = {pk: one for pk, one in found.items() if one.state == EmbeddingState.PENDING}
    reason = turns.failing(organization.ref.id, model) if waiting else None
    if reason is None:
        return found
    return found | {pk: replace(one, state=EmbeddingState.FAILED, error_code=reason) for pk, one in waiting.items()}
