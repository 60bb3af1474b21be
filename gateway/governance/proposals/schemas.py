"""Bodies in and out of the proposals API."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core.pagination import Page
from gateway.core.wire import Whole
from gateway.governance.proposals.types import Proposal
from gateway.governance.proposals.wire import ProposalOut

MAX_UNDO_S = 3_600


class DecisionIn(Schema):
    """A decision. ``undo_seconds`` delays the execution of an approval; a rejection ignores it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    comment: Annotated[str, Field(max_length=2_000)] | None = None
    undo_seconds: Annotated[Whole, Field(ge=0, le=MAX_UNDO_S)] | None = None


class CompensateIn(Schema):
    """Why it is taken back."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    comment: Annotated[str, Field(max_length=2_000)] | None = None


class ProposalPageOut(Schema):
    data: list[ProposalOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Page[Proposal]) -> ProposalPageOut:
        data = [ProposalOut.of(proposal) for proposal in found.data]
        return cls(data=data, next_cursor=found.next_cursor)
