"""Memory operations of the month: counted, priced beyond the plan, or refused there."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import entries
from gateway.platform.admission import journal as journals
from gateway.platform.admission.errors import OverBudget
from gateway.platform.admission.journal import Call, Journal
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import ORGANIZATION
from gateway.platform.admission.scripts import MEMORY


async def count_memory(
    store: Valkey,
    org_id: UUID,
    operations: int,
    *,
    included: int | None,
    overage_micros: int | None,
    who: dict[str, Any],
    holders: str = ORGANIZATION,
    journal: Journal | None = None,
) -> int | None:
    """Count ``operations`` and leave one entry of kind ``memory`` for the ledger; returns the month's count, None when
    the store is away and they are counted later (where they might be refused, StoreUnavailable is raised instead).

    ``overage_micros`` is what each one beyond ``included`` costs; None: they are refused with 402
    ``memory_operations_exceeded``, and nothing changes. ``who`` names the request, its key or person, and the
    subject; what is billed counts as spent by ``holders``.
    """
    keys = of_org(org_id)
    told = {"org_id": org_id, **{name: value for name, value in who.items() if value is not None}}
    call = Call(
        "memory",
        [keys.base],
        [
            keys.org,
            str(operations),
            str(-1 if included is None else included),
            str(-1 if overage_micros is None else overage_micros),
            entries.encode(told).decode(),
            holders,
        ],
    )
    try:
        refused, used, month = await store.script(MEMORY, call.keys, call.args)
    except StoreUnavailable:
        if included is not None and overage_micros is None:
            raise  # whether it is refused cannot be known
        await asyncio.shield((journal or journals.journal()).append(call))
        return None
    if refused:
        raise OverBudget(
            f"The plan's {included} memory operations of this month are used up.",
            code="memory_operations_exceeded",
            extra={"quota": {"scope": "organization", "unit": "memory_operations", "limit": included, "used": used,
                             "month": month.decode()}},
        )  # fmt: skip
    return int(used)
