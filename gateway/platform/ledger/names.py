"""The names that the ledger and admission share in the store."""

from __future__ import annotations

import hashlib

from gateway.core.valkey import prefix


def seeded(shard: int) -> str:
    """``ready|seeded`` (ms): from when on a shard's counters can be believed, and when they were put back after the
    store was emptied. Missing: they cannot."""
    return f"{prefix(shard)}seeded"


def usage_stream(shard: int) -> str:
    """Entries on their way to the ledger, kept until they are committed there."""
    return f"{prefix(shard)}usage"


def dead_stream(shard: int) -> str:
    """Entries that the ledger cannot take, each with its error, for a person to look at."""
    return f"{prefix(shard)}dead"


def use_key(shard: int, org_id: object, holder: str, window: str) -> str:
    """What a holder of an organization used in a window: the organization ``o``, a key ``k<id>``, a person ``u<id>``, a
    subject ``s<hash>``; in the UTC month ``YYYYMM`` or day ``YYYYMMDD``. A hash: calls, spend, held, seed_calls,
    seed_spend, memory_ops, seed_memory_ops."""
    return f"{prefix(shard)}use:{org_id}:{holder}:{window}"


def subject_holder(subject_id: str) -> str:
    """A subject's name is any text of the caller's, so the store knows it by its hash."""
    return f"s{hashlib.sha256(subject_id.encode()).hexdigest()[:32]}"
