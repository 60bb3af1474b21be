"""A rule tried on history: what it would have approved, and whether people agreed. Changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from gateway.core import clock
from gateway.governance.proposals import selectors
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.rules import Coverable, RuleSpec
from gateway.governance.proposals.selectors import to_proposal
from gateway.governance.proposals.types import Proposal, ProposalFilter, State
from tenants.types import Principal

MAX_DAYS, MAX_LOOKED_AT, MAX_SHOWN = 90, 50_000, 100
_SAID_YES = frozenset({State.APPROVED, State.EXECUTING, State.EXECUTED, State.FAILED})
_MACHINES = ("policy:", "rule:")
_NEEDED = (
    "id", "type", "subject_id", "persona_id", "confidence", "quorum", "created_at", "decided_by", "state",
)  # fmt: skip


class _Decided(Coverable, Protocol):
    """What is looked at of a proposal, of which there may be many."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def decided_by(self) -> str | None: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Simulation:
    """``considered`` is the denominator: every proposal of those days that rules are asked about (what an application
    proposes itself, and what contradicts a memory, waits for people) and that the caller may see, of which the newest
    ``MAX_LOOKED_AT`` when ``truncated``.

    Of those, ``covered`` fit the rule and ``would_approve`` also its caps (``capped`` did not). People decided
    ``decided_by_people`` of the would-be approvals, ``agreed`` times with yes; ``disagreements`` are the newest of
    those that they rejected. ``decided_by_machines`` were approved by a policy or another rule, ``undecided`` are
    pending or expired; neither says anything about agreement, which is ``agreed`` by ``decided_by_people``, or None
    when nobody decided any.
    """

    days: int
    considered: int
    truncated: bool
    covered: int
    capped: int
    would_approve: int
    decided_by_people: int
    agreed: int
    rejected_by_people: int
    decided_by_machines: int
    undecided: int
    disagreements: tuple[Proposal, ...]

    @property
    def agreement(self) -> float | None:
        return round(self.agreed / self.decided_by_people, 4) if self.decided_by_people else None


def simulate(spec: RuleSpec, *, days: int, principal: Principal | None = None) -> Simulation:
    """Try ``spec`` on the proposals that were made in the last ``days`` days (at most ``MAX_DAYS``), oldest first, its
    caps counted per UTC day of their making. What policy would have added is left out."""
    since = clock.now() - timedelta(days=days)
    rows = selectors.narrowed(ProposalFilter(), principal).filter(created_at__gte=since, rules_asked=True)
    newest = list(rows.order_by("-id").values_list(*_NEEDED, named=True)[: MAX_LOOKED_AT + 1])
    looked_at = newest[:MAX_LOOKED_AT]
    counts: Counter[str] = Counter()
    used: Counter[tuple[str, str, str]] = Counter()
    disagreements: list[UUID] = []
    for proposal in reversed(looked_at):
        if not spec.covers(proposal):
            continue
        counts["covered"] += 1
        if not _within(spec, proposal, used):
            counts["capped"] += 1
            continue
        verdict = _verdict(proposal)
        counts[verdict] += 1
        if verdict == "rejected":
            disagreements.append(proposal.id)
    would = counts["agreed"] + counts["rejected"] + counts["machine"] + counts["undecided"]
    return Simulation(
        days=days,
        considered=len(looked_at),
        truncated=len(newest) > MAX_LOOKED_AT,
        covered=counts["covered"],
        capped=counts["capped"],
        would_approve=would,
        decided_by_people=counts["agreed"] + counts["rejected"],
        agreed=counts["agreed"],
        rejected_by_people=counts["rejected"],
        decided_by_machines=counts["machine"],
        undecided=counts["undecided"],
        disagreements=_proposals(disagreements[-MAX_SHOWN:]),
    )


def _proposals(found: list[UUID]) -> tuple[Proposal, ...]:
    """These proposals, newest first."""
    return tuple(to_proposal(row) for row in ProposalRow.objects.filter(pk__in=found).order_by("-id"))


def _within(spec: RuleSpec, proposal: _Decided, used: Counter[tuple[str, str, str]]) -> bool:
    """Count it against the caps of its day; False when one is reached."""
    day = proposal.created_at.date().isoformat()
    of_type, of_subject = (day, "type", proposal.type), (day, "subject", proposal.subject_id or "")
    if spec.per_day is not None and used[of_type] >= spec.per_day:
        return False
    if spec.per_subject_per_day is not None and used[of_subject] >= spec.per_subject_per_day:
        return False
    used[of_type] += 1
    used[of_subject] += 1
    return True


def _verdict(proposal: _Decided) -> str:
    if (proposal.decided_by or "").startswith(_MACHINES):
        return "machine"
    if proposal.state in _SAID_YES:
        return "agreed"
    return "rejected" if proposal.state == State.REJECTED else "undecided"
