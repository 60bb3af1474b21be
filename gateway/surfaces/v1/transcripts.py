"""What `POST /v1/memories` was sent when it was a conversation: what the person said of themselves becomes memories."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.knowledge.memory import imports, ingesting, statements
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory.types import MAX_BATCH, ItemResult, NewMemory, Provenance
from gateway.knowledge.subjects import services as subjects
from gateway.surfaces.v1 import rehearsal
from gateway.surfaces.v1.memories_access import limit_of, reach_of
from gateway.surfaces.v1.remember import check_key
from gateway.surfaces.v1.schemas.transcripts import TranscriptIn, TranscriptMessageIn
from tenants.types import Principal

_SOURCE = "chat"
# Turns of a conversation that carry no time of their own follow each other at this distance.
_APART = timedelta(seconds=1)


class Transcript:
    """A conversation that has been read: what to store, and where each of it was said."""

    def __init__(self, body: TranscriptIn, principal: Principal) -> None:
        self._body, self._principal = body, principal
        check_key(principal, body.subject_id, _SOURCE, body.persona_id)
        subjects.check(body.subject_id)
        self.items: list[tuple[int, NewMemory]] = []
        self.skipped: list[dict[str, Any]] = []
        self._errors: dict[int, GatewayError] = {}
        at = body.occurred_at or clock.now()
        for index, message in enumerate(body.transcript):
            at = message.at or (at + _APART if index else at)
            if message.role != "user":
                self.skipped.append({"index": index, "reason": "not_the_subject"})
                continue
            said = list(statements.read(message.content))
            if not said:
                self.skipped.append({"index": index, "reason": "nothing_stated"})
            room = MAX_BATCH - len(self.items)
            if len(said) > room:
                self.skipped.append({"index": index, "reason": "too_many"})
            self.items += [(index, self._memory(index, message, one, at)) for one in said[:room]]

    @property
    def writes(self) -> int:
        """How many memories it may store."""
        return len(self.items) - len(self._errors)

    def look_over(self) -> None:
        """Find the statements that would be refused for what is known. Runs inside the organization's scope."""
        said = [(self._body.subject_id, item) for _, item in self.items]
        self._errors = rehearsal.refusals(said, self._principal)

    def store(self, request_id: UUID) -> dict[str, Any]:
        """Store what was read, in one transaction; every item's result with the message it came from. A transcript of
        which nothing could be stored leaves the event that says so. Runs inside the organization's scope."""
        results = {number: ItemResult(number, error=error) for number, error in self._errors.items()}
        principal, good = self._principal, [number for number in range(len(self.items)) if number not in results]
        with transaction.atomic():
            if good:
                subject = subjects.ensure(self._body.subject_id, actor=principal.actor, request_id=request_id)
                stored = memory.create_many(
                    [(subject, self.items[number][1]) for number in good],
                    actor=principal.actor,
                    request_id=request_id,
                    limit_per_subject=limit_of(principal),
                    reach=reach_of(principal),
                )
                results |= zip(good, stored, strict=True)
            refused = [result.error for result in results.values() if result.error is not None]
            if refused and len(refused) == len(self.items):
                ingesting.nothing_stored(
                    _SOURCE, self._body.thread_id, refused, subject_id=self._body.subject_id,
                    actor=principal.actor, request_id=request_id,
                )  # fmt: skip
        data = [
            {**imports.as_wire(replace(results[number], index=number)), "message": index, "text": item.text}
            for number, (index, item) in enumerate(self.items)
        ]
        return {"data": data, "skipped": self.skipped}

    def _memory(self, index: int, message: TranscriptMessageIn, said: statements.Statement, at: Any) -> NewMemory:
        body = self._body
        return NewMemory(
            text=said.text,
            provenance=Provenance(_SOURCE, f"{body.thread_id or 'transcript'}#{index}", message.content[:1_000]),
            type=said.type,
            slot=said.slot,
            value=said.value,
            speaker=message.name,
            thread_id=body.thread_id,
            occurred_at=at,
            scope=body.scope,
            persona_id=body.persona_id,
            extracted=True,
        )
