"""Which shard an organization's admission keys live in.

Every admission key carries the hash tag ``{sNN}``; one shard's lease index, facts and usage stream are therefore always
together, on one node of whatever serves the store.
"""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID
from zlib import crc32

SHARDS = 64


@lru_cache(maxsize=65_536)
def shard_of(org_id: UUID) -> int:
    """0 … 63: crc32 of the id's 16 bytes, modulo 64."""
    return crc32(org_id.bytes) % SHARDS


def prefix(shard: int) -> str:
    """``adm:{s07}:`` for shard 7."""
    return f"adm:{{s{shard:02d}}}:"
