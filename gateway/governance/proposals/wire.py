"""A proposal as the API shows it, here and on every other surface of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import WithJsonSchema

from gateway.core import ids
from gateway.governance.proposals.types import Proposal, State

# Written out where it stands: other slices have a ``State`` of their own, and one name is one component.
ShownState = Annotated[State, WithJsonSchema({"type": "string", "enum": [one.value for one in State]})]


class ApprovalOut(Schema):
    """One person's yes. `actor` is what they used, such as a key of theirs."""

    by: str
    actor: str
    comment: str
    at: datetime


class ErrorOut(Schema):
    code: str
    detail: str


class CompensationOut(Schema):
    """That an executed write was taken back, or is on its way to be."""

    state: Literal["running", "done", "failed"]
    by: str
    at: datetime
    comment: str
    result: dict[str, Any] | None
    error: ErrorOut | None


class ProposalOut(Schema):
    id: str
    proposal_id: str
    type: str
    payload: dict[str, Any]
    diff: dict[str, Any]
    provenance: dict[str, Any]
    confidence: float
    state: ShownState
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
    quorum: int
    approvals: list[ApprovalOut]
    rule_id: str | None
    compensation: CompensationOut | None

    @classmethod
    def of(cls, proposal: Proposal) -> ProposalOut:
        undone = proposal.compensation
        return cls(
            id=proposal.public_id,
            proposal_id=proposal.public_id,
            type=proposal.type,
            payload=proposal.payload,
            diff=proposal.diff,
            provenance=proposal.provenance,
            confidence=proposal.confidence,
            state=proposal.state,
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
            quorum=proposal.quorum,
            approvals=[ApprovalOut(**asdict(approval)) for approval in proposal.approvals],
            rule_id=ids.public("rul", proposal.rule_id) if proposal.rule_id else None,
            compensation=CompensationOut(**asdict(undone)) if undone else None,
        )
