"""Keeping the leases of this worker open while it lives."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from uuid import UUID

import structlog
from django.conf import settings

from gateway.core.errors import Unavailable
from gateway.core.valkey import Valkey, shard_of
from gateway.platform.admission import entries
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.scripts import RENEW, REOPEN
from gateway.platform.admission.types import Lease

log = structlog.get_logger(__name__)

# How soon a worker notices that the store lost its leases; the re-seeding waits longer than this before hard budgets
# are decided again.
_EVERY_S = 1.0
_AGAIN_S = 0.5


def lease_ttl_s() -> float:
    """IKIRO_LEASE_TTL_S: how long a lease outlives the last sign of its worker."""
    return float(settings.IKIRO_LEASE_TTL_S)


async def renew(store: Valkey, leases: Iterable[Lease]) -> int:
    """Move the expiry of every lease, one command per shard; one that the store lost with all else it had is opened
    again. Returns how many are open."""
    by_shard: defaultdict[int, list[Lease]] = defaultdict(list)
    for lease in leases:
        by_shard[shard_of(lease.org_id)].append(lease)
    if not by_shard:
        return 0
    await store.ready()
    replies = [
        store.submit_script(
            RENEW,
            (of_org(group[0].org_id).base,),
            [word for lease in group for word in (str(lease.request_id), int(lease.ttl_s * 1000))],
        )
        for group in by_shard.values()
    ]
    gone = {UUID(name.decode()) for reply in await asyncio.gather(*replies) for name in reply}
    lost = [lease for group in by_shard.values() for lease in group if lease.request_id in gone]
    opened = await asyncio.gather(*(store.script(REOPEN, *reopening(lease, only_after_loss=True)) for lease in lost))
    known = sum(len(group) for group in by_shard.values())
    return known - len(lost) + sum(int(one) for one in opened)


def reopening(lease: Lease, *, only_after_loss: bool) -> tuple[list[str], list[str]]:
    """Keys and arguments of the script that opens a lease the store does not know."""
    held = "|".join((
        "lease", lease.month, lease.day, str(lease.opened_at_ms), str(int(lease.counts_as_call)),
        str(lease.estimate_micros), str(lease.tokens), str(lease.org_id), lease.holders, "",
        entries.facts_of(lease, lease.facts).decode(),
    ))  # fmt: skip
    again = "1" if only_after_loss else "0"
    return [of_org(lease.org_id).base], [str(lease.request_id), str(int(lease.ttl_s * 1000)), held, again]


class LeaseKeeper:
    """The worker's open leases. ``admit`` holds, ``settle`` releases, ``run`` renews them every second or thrice in
    their life, whichever is sooner."""

    def __init__(self) -> None:
        self._open: dict[UUID, Lease] = {}
        self._elsewhere: list[Callable[[], Iterable[Lease]]] = []

    def __len__(self) -> int:
        return len(self.leases())

    def leases(self) -> list[Lease]:
        """All that are open."""
        return [*self._open.values(), *(lease for source in self._elsewhere for lease in source())]

    def also(self, source: Callable[[], Iterable[Lease]]) -> None:
        """Keep what ``source`` says is open, too: for calls so short that telling of each costs more than asking."""
        self._elsewhere.append(source)

    def hold(self, lease: Lease) -> None:
        self._open[lease.request_id] = lease

    def release(self, lease: Lease) -> None:
        self._open.pop(lease.request_id, None)

    async def run(self, store: Valkey) -> None:
        """A background loop. While the store is away it tries again soon: what it renews first is what has expired."""
        while True:
            open_now = self.leases()
            pause = min((lease.ttl_s for lease in open_now), default=lease_ttl_s()) / 3
            try:
                await renew(store, open_now)
            except Unavailable as error:
                log.debug("leases.store_away", open=len(open_now), error=error.detail)
                pause = min(_AGAIN_S, pause)
            await asyncio.sleep(min(pause, lease_ttl_s() / 3, _EVERY_S))


_keeper = LeaseKeeper()


def keeper() -> LeaseKeeper:
    """The process's keeper."""
    return _keeper
