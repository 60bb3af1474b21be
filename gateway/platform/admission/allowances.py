"""What this worker has in hand for when the store is away: a few calls, and where a hard budget applies a little money,
reserved in the store beforehand for every key and person that called lately.

The store counts what is lent as used, so that nobody else can spend it, and takes it back when this worker dies. What
is lent is a small share of what is left of the tightest limit, measured anew all the time: near a limit's end it is
nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.conf import settings

from gateway.core import ids
from gateway.core.errors import Unavailable
from gateway.core.valkey import Valkey
from gateway.platform.admission import journal as journals
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import lease_ttl_s
from gateway.platform.admission.limits import Applied, applied
from gateway.platform.admission.scripts import LEND, RETURN
from gateway.platform.admission.types import AdmissionRequest, Lease

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
# A caller that was silent for so long gets nothing in hand any more.
_LATELY_S = 600.0
# One part in so many of what is left of a limit is lent to one worker.
_SHARE = 50
# Callers that one worker has something in hand for; the rest wait for the store.
_MOST = 5000
_BATCH = 100
_COVERED = frozenset({"organization", "key", "user"})

Caller = tuple[UUID, UUID]


@dataclass(slots=True)
class Allowance:
    """``calls`` and ``micros`` (None: no hard budget applies) that are left in hand; ``used`` counts what was taken
    since it was last measured."""

    id: UUID = field(default_factory=ids.uuid7)
    calls: int = 0
    micros: int | None = None
    used: int = 0
    measured: float = 0.0


class Allowances:
    """One worker's. ``seen`` and ``take`` are called on the way of requests and ask nobody."""

    def __init__(self) -> None:
        self._seen: dict[Caller, tuple[Applied, float]] = {}
        self._held: dict[Caller, Allowance] = {}

    def seen(self, request: AdmissionRequest) -> None:
        """A call of this caller was let in by the store just now."""
        caller = _caller(request)
        if caller in self._seen or len(self._seen) < _MOST:
            self._seen[caller] = request.applied, time.monotonic()

    def of(self, org_id: UUID, caller: UUID | None) -> Allowance | None:
        """What is in hand for a key or person."""
        return self._held.get((org_id, caller)) if caller is not None else None

    def take(self, request: AdmissionRequest) -> Allowance | None:
        """Use one call, and the request's estimate where a hard budget applies; None when the hand is empty, or when a
        hard budget applies that nothing is in hand for (a subject's, a token's)."""
        held, draft = self.of(request.org_id, request.caller), request.lease
        if held is None or held.calls < 1 or draft is None:
            return None
        guards = [limit for limit in request.applied.limits if limit.guards_money]
        if any(limit.level not in _COVERED for limit in guards):
            return None
        if guards:
            if held.micros is None or held.micros < draft.estimate_micros:
                return None
            held.micros -= draft.estimate_micros
        held.calls -= 1
        held.used += 1
        return held

    def put_back(self, lease: Lease | AdmissionRequest, micros: int, *, calls: int = 0) -> None:
        """What a call did not use after all."""
        caller = lease.key_id or lease.user_id
        held = self.of(lease.org_id, caller)
        if held is not None:
            held.calls += calls
            if held.micros is not None:
                held.micros += max(0, micros)

    async def run(self, store: Valkey) -> None:
        """A background loop."""
        while True:
            try:
                await self.measure(store)
            except Unavailable as error:
                log.debug("allowances.store_away", error=error.detail)
            await asyncio.sleep(_EVERY_S)

    async def measure(self, store: Valkey) -> None:
        """Take in hand for whoever called lately; measure anew what is old or used; give back what nobody needs."""
        now = time.monotonic()
        if journals.journal().size:
            return  # what was used of it is not counted in the store yet
        silent = [caller for caller, (_, at) in self._seen.items() if now - at > _LATELY_S]
        for caller in silent:
            del self._seen[caller]
        await self._return(store, silent)
        stands = lease_ttl_s() / 3
        due = []
        for caller in self._seen:
            held = self._held.get(caller)
            if held is None or held.used or now - held.measured >= stands:
                due.append(caller)
        for start in range(0, len(due), _BATCH):
            await asyncio.gather(*(self._lend(store, caller) for caller in due[start : start + _BATCH]))

    async def _lend(self, store: Valkey, caller: Caller) -> None:
        held = self._held.setdefault(caller, Allowance())
        used, org_id = held.used, caller[0]
        keys, covered = of_org(org_id), _covered(self._seen[caller][0])
        calls, micros, *_ = await store.script(
            LEND,
            (keys.base,),
            (
                str(held.id),
                int(lease_ttl_s() * 1000),
                settings.IKIRO_ALLOWANCE_CALLS,
                settings.IKIRO_ALLOWANCE_MICROS,
                _SHARE,
                keys.org,
                covered.holders,
                covered.encoded,
            ),
        )
        if held.used != used:
            return  # used meanwhile without the store: measured anew once that is counted there
        held.calls, held.micros = calls, None if micros < 0 else micros
        held.used, held.measured = 0, time.monotonic()

    async def _return(self, store: Valkey, callers: Iterable[Caller]) -> None:
        for caller in callers:
            held = self._held.pop(caller, None)
            if held is not None:
                await store.script(RETURN, (of_org(caller[0]).base,), (str(held.id),))

    async def give_back(self, store: Valkey) -> None:
        """All of it, at shutdown. What cannot be given back now runs out by itself."""
        try:
            await self._return(store, list(self._held))
        except Unavailable as error:
            log.info("allowances.not_given_back", error=error.detail)
        self._held.clear()
        self._seen.clear()


def _caller(request: AdmissionRequest) -> Caller:
    caller = request.caller
    assert caller is not None  # noqa: S101 - only known callers get here
    return request.org_id, caller


def _covered(whole: Applied) -> Applied:
    """Without what belongs to one subject or token: it is lent to a key or person."""
    limits = [limit for limit in whole.limits if limit.level in _COVERED]
    holders = [holder for holder in whole.holders.split(",") if holder[:1] in ("o", "k", "u")]
    return whole if len(limits) == len(whole.limits) else applied(limits, holders)


_of_process = Allowances()


def allowances() -> Allowances:
    """The process's."""
    return _of_process
