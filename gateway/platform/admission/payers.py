"""Who pays for memory operations beyond the plan, and within which budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.platform.admission import rules
from gateway.platform.admission.limits import Kind, Level
from gateway.platform.admission.types import Payers
from gateway.platform.ledger.names import subject_holder
from tenants.types import Principal


def of(principal: Principal, subject_id: str | None = None, subjects: Sequence[str] = ()) -> Payers:
    """Who pays for operations of this caller: on one subject, or on the ``subjects`` of each of them."""
    whole = rules.of(principal, subject_id)
    budgets = [limit for limit in whole.limits if limit.kind == Kind.BUDGET]
    if not subjects or all(rule.level != Level.SUBJECT for rule in principal.organization.rules):
        return Payers(whole.holders, budgets)
    counts = Counter(subjects)
    for subject in counts:
        theirs = rules.of(principal, subject).limits
        budgets += [limit for limit in theirs if limit.kind == Kind.BUDGET and limit.level == Level.SUBJECT]
    return Payers(whole.holders, budgets, {subject_holder(subject): count for subject, count in counts.items()})
