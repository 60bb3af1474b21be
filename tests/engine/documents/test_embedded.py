"""How far documents are with the organization's model, counted where the rows are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.core import ids
from gateway.engine.documents import selectors
from gateway.engine.documents.models import DocumentPassage, DocumentRow
from gateway.engine.documents.types import Embedding, EmbeddingState, State
from gateway.knowledge.memory import embedding_rows
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, Memory
from tenants.context import scope
from tenants.selectors import organization
from tenants.types import Organization, OrgRef
from tests.knowledge.memory.support import remember
from tests.knowledge.memory.vectors import embed

MODEL = "mine/small"


@pytest.fixture
def ours(acme: OrgRef) -> Iterator[Organization]:
    found = organization(acme.id)
    assert found is not None
    with scope(acme):
        yield replace(found, settings=replace(found.settings, embedding_model=MODEL))


def document(*passages: Memory) -> DocumentRow:
    row = DocumentRow.objects.create(
        name="Rules", media_type="text/plain", size=1, digest=ids.uuid7().hex, state=State.READY, created_by="usr_1"
    )
    for position, memory in enumerate(passages, start=1):
        DocumentPassage.objects.create(document=row, position=position, memory_id=memory.id)
    return row


def embeddings(of: Organization, **more: Any) -> list[Embedding | None]:
    return [one.embedding for one in reversed(selectors.page(of, **more).data)]


def test_page__documents_that_share_passages__each_counts_its_own_in_one_query(ours: Organization) -> None:
    good, bad, new = (remember(ORG_KNOWLEDGE, text) for text in ("Green tea", "Black tea", "White tea"))
    embed(ORG_KNOWLEDGE, good.id, (1, 0, 0), model=MODEL)
    embed(ORG_KNOWLEDGE, new.id, (1, 0, 0), model="mine/another")
    embedding_rows.failed(MODEL, [bad.id], "embedding_refused")
    embedding_rows.failed("mine/another", [good.id], "embedding_refused")
    document(good, good)
    with CaptureQueriesContext(
        connection,
    ) as alone:
        assert embeddings(ours) == [Embedding(EmbeddingState.DONE, 2)]
    document(good, bad, new)
    document(new)
    with CaptureQueriesContext(connection) as together:
        assert embeddings(ours) == [
            Embedding(EmbeddingState.DONE, 2, 0, 0),
            Embedding(EmbeddingState.FAILED, 1, 1, 1, "embedding_refused"),
            Embedding(EmbeddingState.PENDING, 0, 1, 0),
        ]
    assert len(together) == len(alone) == 2


def test_page__nothing_embeds_or_nothing_is_read__says_so(ours: Organization, settings: Any) -> None:
    document(remember(ORG_KNOWLEDGE, "Green tea"))
    settings.IKIRO_EMBEDDER_SOCKET = ""
    nobody = replace(ours, settings=replace(ours.settings, embedding_model=None))
    assert embeddings(nobody) == [Embedding(EmbeddingState.OFF)]
    DocumentRow.objects.update(state=State.FORGETTING)
    assert embeddings(nobody) == embeddings(ours) == [None]
