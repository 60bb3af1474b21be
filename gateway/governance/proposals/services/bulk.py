"""One decision about many proposals: each by itself, in a transaction of its own, with a result of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from gateway.core.errors import GatewayError, NotFound
from gateway.core.journal import Actor
from gateway.governance.proposals import selectors
from gateway.governance.proposals.services.decisions import approve, reject
from gateway.governance.proposals.types import Proposal, ProposalFilter, State
from tenants.types import Principal

MAX_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one: the proposal, or the refusal."""

    public_id: str
    proposal: Proposal | None = None
    error: GatewayError | None = None


def decide_many(
    named: Sequence[tuple[str, UUID | NotFound]],
    *,
    yes: bool,
    actor: Actor,
    comment: str = "",
    undo_seconds: int = 0,
    request_id: UUID | None = None,
    principal: Principal | None = None,
) -> list[Decided]:
    """Decide the proposals of these ids, in their order; ids that are none come with their error. What is approved is
    carried out by workers."""
    common: dict[str, Any] = {
        "actor": actor, "comment": comment, "request_id": request_id, "principal": principal,
    }  # fmt: skip
    decide = partial(approve, undo_seconds=undo_seconds, hand_over=True, **common) if yes else partial(reject, **common)
    return [_one(public_id, parsed, decide) for public_id, parsed in named]


def pending(wanted: ProposalFilter, *, principal: Principal | None = None) -> tuple[list[Proposal], bool]:
    """The oldest pending proposals of a filter, at most ``MAX_AT_ONCE``, and whether there are more. Raises Forbidden
    when the filter asks for another's."""
    only = ProposalFilter(State.PENDING, wanted.type, wanted.subject_id, wanted.persona_id)
    rows = list(selectors.narrowed(only, principal).order_by("id")[: MAX_AT_ONCE + 1])
    return [selectors.to_proposal(row) for row in rows[:MAX_AT_ONCE]], len(rows) > MAX_AT_ONCE


def _one(public_id: str, parsed: UUID | NotFound, decide: Callable[[UUID], Proposal]) -> Decided:
    if isinstance(parsed, NotFound):
        return Decided(public_id, error=parsed)
    try:
        return Decided(public_id, decide(parsed))
    except GatewayError as error:
        return Decided(public_id, error=error)
