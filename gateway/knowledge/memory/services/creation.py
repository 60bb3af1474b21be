"""New memories, and what becomes of those that say something known or contradict it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, FieldProblem, GatewayError
from gateway.core.journal import Actor, Change, Event, record
from gateway.knowledge.memory import questions, selectors
from gateway.knowledge.memory.drafts import check
from gateway.knowledge.memory.errors import Contradicts, InvalidMemory
from gateway.knowledge.memory.guards import Guard
from gateway.knowledge.memory.placement import EVERYTHING, Reach
from gateway.knowledge.memory.types import MAX_BATCH, ItemResult, Memory, NewMemory, Subject
from gateway.knowledge.memory.writing import Batch, Outcome


def create(
    subject: Subject, item: NewMemory, *, actor: Actor, limit_per_subject: int | None, request_id: UUID | None = None
) -> Memory:
    """Store one memory, or add its source to the active one that says the same (``deduplicated``).

    Raises InvalidMemory, MemoryLimitReached when the plan's memories for this subject are used up, NotRemembered or
    SourceRevoked for an extracted one that may not be stored, and Contradicts when it contradicts something better
    known; then nothing is stored, the proposal included: whoever wants the proposal asks ``create_many``.
    ``limit_per_subject=None`` is no limit.
    """
    with transaction.atomic():
        (result,) = create_many(
            [(subject, item)], actor=actor, limit_per_subject=limit_per_subject, request_id=request_id
        )
        if result.proposal_id is not None:
            raise Contradicts("This contradicts something that is better known; it takes a proposal.")
        return replace(selectors.get(result.stored), deduplicated=result.deduplicated)


def create_many(
    items: Sequence[tuple[Subject, NewMemory]],
    *,
    actor: Actor,
    limit_per_subject: int | None,
    request_id: UUID | None = None,
    reach: Reach = EVERYTHING,
) -> list[ItemResult]:
    """Store up to 1,000 memories in one transaction. What is wrong with one item is its own error and stops no
    other.

    An item that contradicts what is trusted more, or lies outside ``reach`` (what a narrowed key may touch), becomes a
    proposal and its result names that instead of a memory.
    """
    if not 1 <= len(items) <= MAX_BATCH:
        message = f"must have 1 to {MAX_BATCH} items, not {len(items)}"
        raise BadRequest(f"items {message}.", problems=(FieldProblem("#/items", "length", message),))
    batch = Batch(items, now=clock.now(), created_by=str(actor), limit=limit_per_subject, reach=reach)
    if not batch.subjects:
        return batch.results()
    with transaction.atomic():
        batch.write()
        if batch.changed:
            _record(batch, actor, request_id)
        for question in batch.questions:
            asked = questions.ask(question, actor=actor, request_id=request_id)
            batch.answer(question.index, proposal_id=asked.proposal_id, error=asked.error)
    return batch.results()


def refusal(subject_pk: UUID, item: NewMemory) -> GatewayError | None:
    """Why an extracted memory may not be stored, before it is proposed to anybody; None when nothing speaks against it.
    Takes no lock: the write itself asks again."""
    try:
        draft = check(item, clock.now())
    except InvalidMemory as error:
        return error
    revoked = selectors.revoked(subject_pk)
    return Guard([(subject_pk, draft)], {subject_pk: revoked}).refusal(subject_pk, draft)


def _record(batch: Batch, actor: Actor, request_id: UUID | None) -> None:
    """One audit entry for the whole write, an event for each new memory and each that it took over from."""
    events = [event for outcome in batch.created for event in _events(outcome)]
    subjects = {subject.id for subject in batch.subjects}
    subject_id = subjects.pop() if len(subjects) == 1 else None
    if len(batch.changed) == 1:
        (outcome,) = batch.changed
        action = "memory.created" if outcome.created else "memory.corroborated"
        draft = outcome.draft
        superseded = [ids.public("mem", old) for old in outcome.superseded]
        change = Change(
            action, actor, ids.public("mem", outcome.id), subject_id=subject_id, persona_id=draft.persona_id,
            request_id=request_id, provenance={"from": draft.sources[0].source, "confidence": draft.confidence},
            detail={"superseded": superseded} if superseded else {},
        )  # fmt: skip
    else:
        detail = {
            "created": [ids.public("mem", outcome.id) for outcome in batch.created],
            "corroborated": sorted({ids.public("mem", outcome.id) for outcome in batch.changed if not outcome.created}),
            "items": len(batch.items),
            "refused": sum(result.error is not None for result in batch.results()),
        }
        if superseded := [ids.public("mem", old) for outcome in batch.created for old in outcome.superseded]:
            detail["superseded"] = superseded
        change = Change(
            "memory.created", actor, "memories", subject_id=subject_id, request_id=request_id, detail=detail
        )
    record(change, *events)


def _events(outcome: Outcome) -> list[Event]:
    draft, name = outcome.draft, ids.public("mem", outcome.id)
    payload: dict[str, str | None] = {
        "memory_id": name,
        "memory_type": draft.type,
        "scope": draft.scope,
        "memory_scope": draft.memory_scope,
        "source": draft.sources[0].source,
    }
    if draft.proposal_id is not None:
        payload["proposal_id"] = ids.public("prop", draft.proposal_id)
    told: dict[str, Any] = {"subject_id": outcome.subject.id, "persona_id": draft.persona_id}
    updates = [
        Event("memory.updated", {"memory_id": name, "supersedes": ids.public("mem", old)}, **told)
        for old in outcome.superseded
    ]
    return [Event("memory.created", payload, **told), *updates]
