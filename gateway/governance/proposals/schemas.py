"""Bodies in and out of the proposals API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core import ids
from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.governance.proposals.types import Proposal

MAX_UNDO_S = 3_600


class DecisionIn(Schema):
    """A decision. ``undo_seconds`` delays the execution of an approval; a rejection ignores it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    comment: Annotated[str, Field(max_length=2_000)] | None = None
    undo_seconds: Annotated[Whole, Field(ge=0, le=MAX_UNDO_S)] | None = None


class ErrorOut(Schema):
    code: str
    detail: str


class ProposalOut(Schema):
    id: str
    proposal_id: str
    type: str
    payload: dict[str, Any]
    diff: dict[str, Any]
    provenance: dict[str, Any]
    confidence: float
    state: str
    subject_id: str | None
    persona_id: str | None
    conversation_id: str | None
    request_id: str | None
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    execute_after: datetime | None
    attempts: int
    executed_at: datetime | None
    result: dict[str, Any] | None
    assertion_id: str | None
    error: ErrorOut | None

    @classmethod
    def of(cls, proposal: Proposal) -> ProposalOut:
        return cls(
            id=proposal.public_id,
            proposal_id=proposal.public_id,
            type=proposal.type,
            payload=proposal.payload,
            diff=proposal.diff,
            provenance=proposal.provenance,
            confidence=proposal.confidence,
            state=proposal.state.value,
            subject_id=proposal.subject_id,
            persona_id=proposal.persona_id,
            conversation_id=ids.public("conv", proposal.conversation_id) if proposal.conversation_id else None,
            request_id=ids.public("req", proposal.request_id) if proposal.request_id else None,
            created_at=proposal.created_at,
            expires_at=proposal.expires_at,
            decided_by=proposal.decided_by,
            decided_at=proposal.decided_at,
            comment=proposal.comment,
            execute_after=proposal.execute_after,
            attempts=proposal.attempts,
            executed_at=proposal.executed_at,
            result=proposal.result,
            assertion_id=proposal.assertion_id,
            error=ErrorOut(**proposal.error) if proposal.error else None,
        )


class ProposalPageOut(Schema):
    data: list[ProposalOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Proposal]) -> ProposalPageOut:
        return cls(data=[ProposalOut.of(proposal) for proposal in found.data], next_cursor=found.next_cursor)
