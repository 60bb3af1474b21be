"""Looking without changing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from gateway.core.valkey import Valkey
from gateway.platform.admission.keys import of_org


async def lookup(store: Valkey, org_id: UUID, request_id: UUID) -> dict[str, Any] | None:
    """A request that the ledger may not have yet: its lease (``state`` open) or the copy of what was just settled
    (settled, estimated). None when it is another organization's, or is known only to the ledger."""
    keys = of_org(org_id)
    await store.ready()
    lease, copy = await asyncio.gather(
        store.submit("HGET", keys.lease, str(request_id)), store.submit("HMGET", keys.copy(request_id), "state", "data")
    )
    if lease is not None:
        _, month, _, opened_ms, counted, estimate, _, _, _, _, facts = lease.split(b"|", 10)
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
