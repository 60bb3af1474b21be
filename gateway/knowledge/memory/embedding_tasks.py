"""Celery's way in to embedding: one organization's turn, and the search for what was left behind."""

from __future__ import annotations

from gateway.knowledge.memory import embedding
from gateway.platform import embeddings
from gateway.platform.embeddings import turns
from tenants.celery import tenant_task
from tenants.selectors import organization
from tenants.types import OrgRef

# Short, so that neither the worker's other tasks nor other organizations wait long.
_TURN_S = 10.0


@tenant_task(name="memory.embed")
def embed(ref: OrgRef) -> None:
    """One turn: embed what is marked. What is left over gets another turn from the scheduler."""
    try:
        found = organization(ref.id)
        if found is None:
            return
        turn = embedding.work(found, seconds=_TURN_S)
        if turn.failure is None:
            turns.resume(ref.id)
            return
        model = embeddings.active_model(found) or ""
        if turns.pause(ref.id, model, turn.failure) == 1:
            embedding.report(model, turn.failure)
    finally:
        turns.over(ref.id)


@tenant_task(name="memory.embed_everything")
def embed_everything(ref: OrgRef) -> None:
    """Look for memories that no mark stands for: of a time without an embedder, or due to be tried again."""
    embedding.want_everything()
