"""The names of everything admission keeps in the store, all under the organization's shard ``adm:{sNN}:``.

rate:<org>            moment at which the organization's request bucket is full again (us); expires then
month:<org>:<YYYYMM>  hash calls, spend, seed_calls, seed_spend; kept 75 days
leases / lease        zset of expiries (ms) and hash ``month|opened|counted|estimate|org|facts``, by request id
request:<id>          hash state, charged, data: the copy for read-your-write, kept 5 minutes
refusals              hash ``minute|org|key|reason|surface`` → count, emptied every minute; a person is ``u<id>``
tried:<org>           the last call that failed, as JSON; kept 7 days, for whoever waits for the first that works
usage / dead          the stream to the ledger, and what the ledger could not take
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from gateway.core.valkey import prefix, shard_of
from gateway.platform.ledger.names import usage_stream


@dataclass(frozen=True, slots=True)
class OrgKeys:
    """One organization's key names, made once."""

    org: str
    base: str
    rate: str
    month: str
    leases: str
    lease: str
    usage: str
    refusals: str
    tried: str

    def copy(self, request_id: UUID) -> str:
        return f"{self.base}request:{request_id}"


@lru_cache(maxsize=65_536)
def of_org(org_id: UUID) -> OrgKeys:
    shard = shard_of(org_id)
    base = prefix(shard)
    return OrgKeys(
        org=str(org_id),
        base=base,
        rate=f"{base}rate:{org_id}",
        month=f"{base}month:{org_id}:",
        leases=f"{base}leases",
        lease=f"{base}lease",
        usage=usage_stream(shard),
        refusals=f"{base}refusals",
        tried=f"{base}tried:{org_id}",
    )
