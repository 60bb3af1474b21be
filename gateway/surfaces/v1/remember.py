"""What `POST /v1/memories` was sent: one memory or a batch, each item checked on its own, and stored for its
subject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from ninja import Schema
from pydantic import ValidationError

from gateway.core.errors import BadRequest, FieldProblem, Forbidden, GatewayError
from gateway.knowledge.memory import imports
from gateway.knowledge.memory import selectors as memories
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory.types import ItemResult, Memory
from gateway.knowledge.subjects import selectors as known_subjects
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.errors import SubjectErasing
from gateway.platform.operations import services as operations
from gateway.platform.operations.types import Operation
from gateway.surfaces import invalid
from gateway.surfaces.v1 import rehearsal
from gateway.surfaces.v1.memories_access import limit_of, reach_of
from gateway.surfaces.v1.schemas.memories import BatchIn, MemoryIn
from tenants.types import Principal

S = TypeVar("S", bound=Schema)
_MOST_PROBLEMS = 20


def parsed(schema: type[S], body: Any) -> S:
    """The body as ``schema``, or BadRequest with a pointer to every field that is wrong."""
    try:
        return schema.model_validate(body)
    except ValidationError as error:
        raise invalid.of_body(error.errors(), body) from None


def check_key(principal: Principal, subject_id: str, memory_scope: str, persona_id: str | None) -> None:
    """Refuse what the key may not write to. Raises Forbidden."""
    principal.require_subject(subject_id)
    principal.require_memory_scopes((memory_scope,))
    if persona_id is not None:
        principal.require_persona(persona_id)


def would_store(item: MemoryIn, principal: Principal) -> None:
    """Raise what would keep the memory from being stored. Runs inside the organization's scope."""
    for error in rehearsal.refusals([(item.subject_id, item.new())], principal).values():
        raise error


def store(item: MemoryIn, principal: Principal, request_id: UUID) -> Memory | dict[str, Any]:
    """Store one memory and, when it is new, its subject: both or neither. What contradicts something better known is
    answered with its proposal instead. Runs inside the organization's scope."""
    with transaction.atomic():
        subject = subjects.ensure(item.subject_id, actor=principal.actor, request_id=request_id)
        (result,) = memory.create_many(
            [(subject, item.new())], actor=principal.actor, request_id=request_id,
            limit_per_subject=limit_of(principal), reach=reach_of(principal),
        )  # fmt: skip
        if result.proposal_id is not None:
            return imports.as_wire(result)
        return replace(memories.get(result.stored), deduplicated=result.deduplicated)


class Batch:
    """A batch whose items have been read: the good ones, and the error of each other."""

    def __init__(self, body: Any, principal: Principal) -> None:
        self._principal = principal
        self._raw = parsed(BatchIn, body).items
        self._good: dict[int, MemoryIn] = {}
        self._errors: dict[int, GatewayError] = {}
        for index, raw in enumerate(self._raw):
            try:
                item = parsed(MemoryIn, raw)
                check_key(principal, item.subject_id, item.searched_under, item.persona_id)
                rehearsal.check(item.subject_id, item.new())
                self._good[index] = item
            except GatewayError as error:
                self._errors[index] = error

    @property
    def writes(self) -> int:
        """How many memories it may store."""
        return len(self._good)

    @property
    def subjects(self) -> list[str]:
        """Whom each of them is of."""
        return [item.subject_id for item in self._good.values()]

    def look_over(self) -> None:
        """Set aside the items that would be refused for what is known. Runs inside the organization's scope."""
        items = [(item.subject_id, item.new()) for item in self._good.values()]
        places = list(self._good)
        for place, error in rehearsal.refusals(items, self._principal).items():
            self._errors[places[place]] = error
            del self._good[places[place]]

    def require_startable(self) -> None:
        """Refuse what a worker is to store whole when an item cannot be read, with every place named, or when a subject
        is being erased. What else refuses an item is found by the worker. Raises BadRequest, Forbidden,
        SubjectErasing. Runs inside the organization's scope."""
        if self._errors:
            raise _unreadable(self._errors)
        for subject_id in known_subjects.erasing(self.subjects):
            raise SubjectErasing(subject_id)

    def store(self, request_id: UUID) -> list[dict[str, Any]]:
        """Store the good items in one transaction; every item's result, in order. Runs inside the organization's
        scope."""
        results = dict.fromkeys(range(len(self._raw)), ItemResult(0)) | {
            index: ItemResult(index, error=error) for index, error in self._errors.items()
        }
        if self._good:
            with transaction.atomic():
                stored = memory.create_many(
                    self._with_subjects(request_id),
                    actor=self._principal.actor,
                    request_id=request_id,
                    limit_per_subject=limit_of(self._principal),
                    reach=reach_of(self._principal),
                )
            for index, result in zip(self._good, stored, strict=True):
                results[index] = replace(result, index=index)
        return [imports.as_wire(results[index]) for index in range(len(self._raw))]

    def start(self, request_id: UUID) -> Operation:
        """Leave the batch to a worker. Runs inside the organization's scope."""
        with transaction.atomic():
            payload = imports.payload(
                self._with_subjects(request_id), actor=self._principal.actor,
                limit_per_subject=limit_of(self._principal), reach=reach_of(self._principal),
            )  # fmt: skip
            return operations.start(
                imports.KIND, total=len(self._raw), payload=payload, actor=self._principal.actor, request_id=request_id
            )

    def _with_subjects(self, request_id: UUID) -> list[Any]:
        names = {item.subject_id for item in self._good.values()}
        known = subjects.ensure_many(names, actor=self._principal.actor, request_id=request_id)
        return [(known[item.subject_id], item.new()) for item in self._good.values()]


def _unreadable(errors: dict[int, GatewayError]) -> GatewayError:
    problems = tuple(
        FieldProblem(f"#/items/{index}{problem.pointer.removeprefix('#')}", problem.code, problem.message)
        for index, error in errors.items()
        for problem in error.problems or (FieldProblem("#", error.code, error.detail),)
    )[:_MOST_PROBLEMS]
    refused = next((error for error in errors.values() if isinstance(error, Forbidden)), None)
    detail = f"{len(errors)} of the items cannot be stored; the first is {problems[0].pointer}: {problems[0].message}"
    if refused is not None:
        return Forbidden(refused.detail, code=refused.code, problems=problems)
    return BadRequest(detail, problems=problems)
