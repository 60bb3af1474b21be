"""The names that the ledger and admission share in the store."""

from __future__ import annotations

from uuid import UUID

from gateway.core.valkey import prefix, shard_of

# Set once the month's counters were put back after an empty start of the store.
SEEDED = "adm:seeded"


def usage_stream(shard: int) -> str:
    """Entries on their way to the ledger, kept until they are committed there."""
    return f"{prefix(shard)}usage"


def dead_stream(shard: int) -> str:
    """Entries that the ledger cannot take, each with its error, for a person to look at."""
    return f"{prefix(shard)}dead"


def month_key(org_id: UUID, month: str) -> str:
    """An organization's counters of the UTC month ``YYYYMM``."""
    return f"{prefix(shard_of(org_id))}month:{org_id}:{month}"
