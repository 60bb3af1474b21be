"""Vectors for what is stored, made off the request's way: a mark in the write's transaction, the rest by a worker.

A mark names a subject with memories that have no vector of the active model. It goes when there is none left, decided
under the lock that writers hold too, so that nothing stored meanwhile is missed. Killed half-way, the rest is done by
whoever takes the mark up again; done twice at once, the second changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import connection, transaction

from gateway.core.embedder.client import Vector
from gateway.core.errors import GatewayError
from gateway.core.journal import SYSTEM, Change, Event, record
from gateway.knowledge.memory import embedding_rows as rows
from gateway.knowledge.memory.embedding_rows import Progress
from gateway.platform import embeddings
from gateway.platform.embeddings import turns
from gateway.platform.embeddings.errors import EmbeddingRefused
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.services import mark, unmark
from gateway.platform.outbox.types import Kind
from tenants.types import Organization

log = structlog.get_logger(__name__)
# The mark of every subject: the model changed, or somebody looks for what was left behind.
EVERYTHING = UUID(int=0)
_SUBJECTS, _ROWS, _CALL = 64, 256, 32
_SPREAD = 1_000


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to. ``left``: there is more to do; ``failure``: the code of what stopped it."""

    embedded: int = 0
    refused: int = 0
    left: bool = False
    failure: str | None = None


def wanted(subjects: Iterable[UUID]) -> None:
    """Have memories of these subjects embedded that are not yet, once the open transaction commits. Call it while the
    subjects are locked (``storage.lock``); more often than needed does no harm."""
    mark(Kind.EMBEDDING, set(subjects))


def want_everything() -> None:
    """Have every memory of the organization embedded that has no vector of the active model."""
    with transaction.atomic():
        mark(Kind.EMBEDDING, [EVERYTHING])


def retry(organization: Organization) -> int:
    """Let what the active model refused be tried again now; how many that is."""
    model = embeddings.active_model(organization)
    if model is None:
        return 0
    with transaction.atomic():
        forgiven = rows.forgive(model)
        mark(Kind.EMBEDDING, [EVERYTHING])
        transaction.on_commit(lambda: turns.resume(organization.ref.id), robust=True)
    return forgiven


def retry_some(organization: Organization, subject_pk: UUID, memories: Iterable[UUID]) -> None:
    """Let these memories of a subject be tried again now, whether the active model refused them or gave no vectors at
    all."""
    model = embeddings.active_model(organization)
    if model is None:
        return
    with transaction.atomic():
        rows.lock([subject_pk])
        rows.forgive(model, list(memories))
        mark(Kind.EMBEDDING, [subject_pk])
        transaction.on_commit(lambda: turns.resume(organization.ref.id), robust=True)


def progress(model: str) -> Progress:
    """How far the organization in scope is with a model."""
    return rows.counts(model)


def work(organization: Organization, *, seconds: float) -> Turn:
    """Embed what is marked, for about so long. Runs in the organization's scope; batches are stored one by one."""
    model = embeddings.active_model(organization)
    until = time.monotonic() + seconds
    embedded = refused = 0
    while True:
        marked = outbox.refs(connection, Kind.EMBEDDING, organization.ref.id, limit=_SUBJECTS + 1)
        subjects = [ref for ref in marked if ref != EVERYTHING][:_SUBJECTS]
        if not marked or model is None:
            unmark(Kind.EMBEDDING, marked)
            return Turn(embedded, refused, left=bool(marked))
        if time.monotonic() >= until:
            return Turn(embedded, refused, left=True)
        if not subjects:
            _spread(model)
            continue
        due = rows.pending(subjects, model, _ROWS)
        if not due:
            _finish(subjects, model)
            continue
        try:
            turn = _embed(organization, model, subjects, due)
        except GatewayError as error:
            log.warning("memory.embedding_failed", model=model, memories=len(due), code=error.code)
            return Turn(embedded, refused, left=True, failure=error.code)
        embedded, refused = embedded + turn.embedded, refused + turn.refused


def report(model: str, code: str, memories: int | None = None) -> None:
    """Tell subscribers that memories got no vector: once for a batch, and never what they say."""
    many = "Memories" if memories is None else f"{memories} memories"
    event = Event("ingestion.error", {"source": "embedding", "code": code, "detail": f"{many} could not be embedded.",
                                      "ref": model})  # fmt: skip
    with transaction.atomic():
        record(Change("memory.embedding_failed", SYSTEM, "memories", detail={"model": model, "code": code}), event)


def _embed(organization: Organization, model: str, subjects: Sequence[UUID], due: Sequence[tuple[UUID, str]]) -> Turn:
    """Embed and store these memories, those of like length together. Raises GatewayError when nobody embeds now."""
    ordered = sorted(due, key=lambda row: len(row[1]))
    embedded = 0
    refused: list[UUID] = []
    for first in range(0, len(ordered), _CALL):
        some = ordered[first : first + _CALL]
        try:
            made, bad = _vectors(organization, some)
        except GatewayError:
            _refuse(model, refused)
            raise
        refused += bad
        if made:
            embedded += rows.insert(subjects, model, made)
    _refuse(model, refused)
    return Turn(embedded, len(refused))


def _vectors(
    organization: Organization, some: Sequence[tuple[UUID, str]]
) -> tuple[list[tuple[UUID, Vector]], list[UUID]]:
    """The vectors of these texts, and the ids of those that the model does not take: found one by one when it refuses
    them together."""
    try:
        vectors = embeddings.texts_now(organization, [text for _, text in some])
    except EmbeddingRefused:
        if len(some) == 1:
            return [], [some[0][0]]
        made: list[tuple[UUID, Vector]] = []
        bad: list[UUID] = []
        for one in some:
            good, wrong = _vectors(organization, [one])
            made, bad = made + good, bad + wrong
        return made, bad
    return [(one, vector) for (one, _), vector in zip(some, vectors, strict=True)], []


def _refuse(model: str, refused: Sequence[UUID]) -> None:
    if refused:
        with transaction.atomic():
            rows.failed(model, refused, EmbeddingRefused.default_code)
            report(model, EmbeddingRefused.default_code, len(refused))


def _finish(subjects: Sequence[UUID], model: str) -> None:
    """Take back the marks of subjects that have nothing left to embed. Writers hold the same lock when they mark."""
    with transaction.atomic():
        rows.lock(subjects)
        if not rows.pending(subjects, model, 1):
            unmark(Kind.EMBEDDING, subjects)


def _spread(model: str) -> None:
    """Turn the mark of everything into marks of the subjects it stands for, a thousand at a time."""
    with transaction.atomic():
        found = rows.left_behind(model, _SPREAD)
        mark(Kind.EMBEDDING, found)
        if len(found) < _SPREAD:
            unmark(Kind.EMBEDDING, [EVERYTHING])
