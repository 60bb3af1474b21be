"""Memory operations of the month: counted, priced beyond the plan within the caller's budgets, or refused there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import entries, verdicts
from gateway.platform.admission import journal as journals
from gateway.platform.admission.errors import OverBudget
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import LimitState, applied, states
from gateway.platform.admission.scripts import MEMORY
from gateway.platform.admission.types import Payers

_PLAN, _BUDGET = 1, 2


@dataclass(frozen=True, slots=True)
class MemoryCount:
    """``used`` in the month with these operations, what they cost beyond the plan, and the budgets as they stood."""

    used: int
    overage_micros: int
    budgets: tuple[LimitState, ...]

    def facts(self) -> dict[str, Any]:
        """The decision record's line."""
        told: dict[str, Any] = {"used": self.used, "overage_micros": self.overage_micros}
        would = [state.facts() for state in self.budgets if state.refuses]
        return {**told, "would_refuse": would} if would else told


async def count_memory(
    store: Valkey,
    org_id: UUID,
    operations: int,
    *,
    included: int | None,
    overage_micros: int | None,
    who: dict[str, Any],
    payers: Payers | None = None,
    journal: Journal | None = None,
) -> MemoryCount | None:
    """Count ``operations`` and leave one entry of kind ``memory`` for the ledger; None when the store is away and they
    are counted later (where they might be refused, StoreUnavailable is raised instead). One request counts once.

    ``overage_micros`` is what each one beyond ``included`` costs; None: they are refused with 402
    ``memory_operations_exceeded``. What is billed counts as spent by ``payers``, and is refused with 402
    ``budget_exceeded`` where a hard budget of theirs does not cover it, with 503 ``budget_unknown`` while nobody knows
    what was spent. A refusal changes nothing. ``who`` names the request, its key or person, and the subject.
    """
    payers = payers or Payers()
    # Where the plan includes any number, nothing is ever billed.
    budgets = payers.budgets if included is not None else ()
    call = _call(org_id, operations, (included, overage_micros), who, replace(payers, budgets=budgets))
    try:
        code, used, month, refused, now_ms, overage, *rest = await store.script(MEMORY, call.keys, call.args)
    except StoreUnavailable:
        if included is not None and (overage_micros is None or any(limit.guards_money for limit in budgets)):
            raise  # whether it is refused cannot be known
        await asyncio.shield((journal or journals.journal()).append(call))
        return None
    if code == _PLAN:
        raise OverBudget(
            f"The plan's {included} memory operations of this month are used up.",
            code="memory_operations_exceeded",
            extra={"quota": {"scope": "organization", "unit": "memory_operations", "limit": included, "used": used,
                             "month": month.decode()}},
        )  # fmt: skip
    now = verdicts.moment(now_ms)
    found = states(budgets, rest, now, start=0) if rest else ()
    if code == _BUDGET:
        raise verdicts.refusal(found, found[refused - 1], "organization", now)
    return MemoryCount(int(used), int(overage), found)


def _call(org_id: UUID, operations: int, terms: Sequence[int | None], who: Mapping[str, Any], payers: Payers) -> Call:
    keys = of_org(org_id)
    told = {"org_id": org_id, **{name: value for name, value in who.items() if value is not None}}
    return Call(
        "memory",
        [keys.base],
        [
            keys.org,
            str(operations),
            *(str(-1 if term is None else term) for term in terms),
            entries.encode(told).decode(),
            ",".join([payers.holders, *payers.shares]),
            applied(payers.budgets).encoded.decode(),
            entries.encode(list(payers.shares.items())).decode(),
        ],
    )
