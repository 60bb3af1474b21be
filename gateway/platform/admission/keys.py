"""The names of everything admission keeps in the store, all under the organization's shard ``adm:{sNN}:``.

use:<org>:<holder>:<window>  hash calls, spend, held, lent, lent_calls, seed_calls, seed_spend: what the organization
                             (o), a key (k<id>), a person (u<id>), a subject (s<hash>) or a token (t<id>) used in the
                             month YYYYMM (kept 75 days), the day YYYYMMDD (3 days) or, a token, in its life (1 day)
rate:<org>:<holder>:<limit>  moment (us) at which a bucket of requests or tokens is full again; expires then
open:<org>:<holder>:<limit>  how many calls under a limit on concurrency are open
seeded                       ``ready|seeded`` (ms): from when on the counters can be believed, and when they came back
leases / lease               zset of expiries (ms) and, by request id, what each holds (``scripts/_lease.lua``)
request:<id>                 hash state, charged, data: the copy for read-your-write, kept 5 minutes
memory:<id>                  the request's memory operations were counted; kept 5 minutes
refusals                     hash ``minute|org|key|reason|surface`` → count, emptied every minute; a person is ``u<id>``
tried:<org>                  the last call that failed, as JSON; kept 7 days, for whoever waits for the first that works
usage / dead                 the stream to the ledger, and what the ledger could not take
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
    leases: str
    lease: str
    usage: str
    refusals: str
    tried: str

    def use(self, window: str, holder: str = "o") -> str:
        """What a holder used in a window."""
        return f"{self.base}use:{self.org}:{holder}:{window}"

    def copy(self, request_id: UUID) -> str:
        return f"{self.base}request:{request_id}"


@lru_cache(maxsize=65_536)
def of_org(org_id: UUID) -> OrgKeys:
    shard = shard_of(org_id)
    base = prefix(shard)
    return OrgKeys(
        org=str(org_id),
        base=base,
        leases=f"{base}leases",
        lease=f"{base}lease",
        usage=usage_stream(shard),
        refusals=f"{base}refusals",
        tried=f"{base}tried:{org_id}",
    )
