"""Drafts, proposals and the outcome of carrying one out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import FieldProblem
from gateway.governance.proposals.reach import EVERYTHING, Reach


class State(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    EXECUTED = "executed"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Draft:
    """A write that a persona would like to make. ``source`` says where it comes from (``chat:…``, ``gmail:msg_123``),
    ``confidence`` is 0 to 1.

    ``diff`` (``{"before", "after"}``) is worked out from the payload when not given; ``expires_in`` defaults to what
    the organization settled for the type, else seven days. ``quorum`` is how many people must say yes at least; what
    is settled for the type may ask for more.
    """

    type: str
    payload: dict[str, Any]
    subject_id: str | None
    persona_id: str | None
    source: str
    confidence: float
    subject_pk: UUID | None = None
    conversation_id: UUID | None = None
    request_id: UUID | None = None
    diff: dict[str, Any] | None = None
    expires_in: timedelta | None = None
    quorum: int = 1


@dataclass(frozen=True, slots=True)
class Rejected:
    """A draft that never became a proposal, with the reason. ``index`` is its place among the drafts."""

    index: int
    type: str
    payload: dict[str, Any]
    reason: str
    problems: tuple[FieldProblem, ...] = ()

    def wire(self) -> dict[str, Any]:
        """The entry under ``rejectedWrites``."""
        errors = [{"pointer": p.pointer, "code": p.code, "message": p.message} for p in self.problems]
        return {"type": self.type, "payload": self.payload, "reason": self.reason, "errors": errors}


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes, where several are needed. ``by`` is whose vote it is, ``actor`` what they used (a key of
    theirs)."""

    by: str
    actor: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Compensation:
    """That an executed write was taken back: ``state`` is running, done or failed; ``error`` is ``{"code",
    "detail"}``."""

    state: str
    by: str
    at: datetime
    comment: str
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal. ``error`` is ``{"code", "detail"}``; ``result`` is what the executor answered. ``approvals`` are
    kept where ``quorum`` is more than one; ``rule_id`` names the rule that approved it. ``memory_scope`` is the
    collection that it writes to, ``reach`` what whoever decided last may touch."""

    id: UUID
    type: str
    payload: dict[str, Any]
    diff: dict[str, Any]
    subject_id: str | None
    subject_pk: UUID | None
    persona_id: str | None
    conversation_id: UUID | None
    request_id: UUID | None
    provenance: dict[str, Any]
    confidence: float
    state: State
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    execute_after: datetime | None
    attempts: int
    executed_at: datetime | None
    result: dict[str, Any] | None
    assertion_id: str | None
    error: dict[str, str] | None
    created_at: datetime
    quorum: int = 1
    approvals: tuple[Approval, ...] = ()
    rule_id: UUID | None = None
    compensation: Compensation | None = None
    memory_scope: str | None = None
    reach: Reach = EVERYTHING

    @property
    def public_id(self) -> str:
        return ids.public("prop", self.id)

    def wire(self) -> dict[str, Any]:
        """The entry under ``proposedWrites``."""
        return {
            "proposal_id": self.public_id,
            "type": self.type,
            "payload": self.payload,
            "provenance": self.provenance,
        }


class Created(NamedTuple):
    """What became of a list of drafts, each side in their order."""

    proposals: tuple[Proposal, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an executor did. ``assertion_id`` names the assertion when the effect itself is one; otherwise one is
    written beside it.
    """

    result: dict[str, Any]
    assertion_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """What to list. ``since`` (inclusive) and ``until`` (exclusive) are about when it was proposed."""

    state: State | None = None
    type: str | None = None
    subject_id: str | None = None
    persona_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
