"""What dead workers left open."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import redis

from gateway.core.valkey import SHARDS, prefix
from gateway.platform.admission import leases
from gateway.platform.admission.scripts import REAP
from gateway.platform.admission.services.settle import COPY_KEPT_S

_RUN = "adm:run"
_AT_MOST = 200


class _Run(msgspec.Struct):
    """The store's life as last seen: its run id, and since when (ms of its clock, 0: seen from the first)."""

    id: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Reaped:
    """``leases`` became estimated entries; ``refusals`` are entries of finished minutes."""

    leases: int
    refusals: int


def reap(client: redis.Redis) -> Reaped:
    """Close expired leases as estimated entries, each exactly once, and write the finished minutes of refusals.

    One script per shard, all in one round trip; at most 200 leases of a shard per call. After the store was away,
    leases from before are left alone for one lease time: their workers may live and have them in the journal.
    """
    returned_ms = _returned_ms(client)
    hold_ms = int(leases.lease_ttl_s() * 1000)
    client.script_load(REAP.source)
    with client.pipeline(transaction=False) as pipeline:
        for shard in range(SHARDS):
            base = prefix(shard)
            pipeline.evalsha(
                REAP.sha,
                1,
                base,
                _AT_MOST,
                returned_ms,
                hold_ms,
                COPY_KEPT_S,
            )
        replies = pipeline.execute()
    return Reaped(leases=sum(reply[0] for reply in replies), refusals=sum(reply[1] for reply in replies))


def _returned_ms(client: redis.Redis) -> int:
    """When the store came back with another run id than the one remembered in it; 0 if it did not."""
    run_id = str(client.info("server")["run_id"])
    raw = client.get(_RUN)
    if isinstance(raw, bytes):
        seen = msgspec.json.decode(raw, type=_Run)
        if seen.id == run_id:
            return seen.since_ms
        seconds, micros = client.time()
        since = seconds * 1000 + micros // 1000
    else:
        since = 0
    client.set(_RUN, msgspec.json.encode(_Run(run_id, since)))
    return since
