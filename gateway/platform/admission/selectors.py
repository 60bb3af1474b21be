"""Looking without changing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from gateway.core.valkey import Valkey
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.months import month_end
from gateway.platform.admission.scripts import PEEK
from gateway.platform.admission.types import LimitsView, RateLimit


async def lookup(store: Valkey, org_id: UUID, request_id: UUID) -> dict[str, Any] | None:
    """A request that the ledger may not have yet: its lease (``state`` open) or the copy of what was just settled
    (settled, estimated). None when it is another organization's, or is known only to the ledger."""
    keys = of_org(org_id)
    await store.ready()
    lease, copy = await asyncio.gather(
        store.submit("HGET", keys.lease, str(request_id)), store.submit("HMGET", keys.copy(request_id), "state", "data")
    )
    if lease is not None:
        month, opened_ms, counted, estimate, _, facts = lease.split(b"|", 5)
        found = {
            **msgspec.json.decode(facts),
            "state": "open",
            "month": month.decode(),
            "opened_at_ms": int(opened_ms),
            "counts_as_call": counted == b"1",
            "estimate_micros": int(estimate),
        }
    elif copy[1] is not None:
        found = {**msgspec.json.decode(copy[1]), "state": copy[0].decode()}
    else:
        return None
    return found if found["org_id"] == keys.org else None


async def usage_now(store: Valkey, org_id: UUID, *, rate: RateLimit, quota: int | None) -> LimitsView:
    """What is left of the rate and of the month, and what the month has cost. Counts nothing."""
    keys = of_org(org_id)
    remaining, reset_ms, used, spent, _, month = await store.script(
        PEEK, (keys.rate, keys.month), (rate.limit, rate.window_s * 1_000_000)
    )
    return LimitsView(
        rate_limit=rate.limit,
        rate_window_s=rate.window_s,
        rate_remaining=remaining,
        rate_reset_s=reset_ms / 1000,
        quota_limit=quota,
        quota_used=used,
        quota_reset_at=month_end(month.decode()),
        spent_micros=spent,
        month=month.decode(),
    )
