"""One worker of the crash test: fifty callers under a hard budget, until somebody kills it.

``python -m tests.platform.admission.caller <store url> <seed>``. The upstream it calls is a set of request ids in
another database of the store, written when the model would begin to work; it answers with any cost up to the estimate.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys

from tests.platform.support import ACME, a_request, a_settlement, ensure_django

ensure_django()

from gateway.core.valkey import Valkey  # noqa: E402
from gateway.platform.admission import services  # noqa: E402
from gateway.platform.admission.errors import OverBudget  # noqa: E402
from gateway.platform.admission.leases import LeaseKeeper  # noqa: E402
from gateway.platform.admission.limits import Kind, Level, Limit  # noqa: E402
from gateway.platform.admission.types import LeaseDraft, RateLimit  # noqa: E402

CALLERS = 50
BUDGET = 10_000_000
TTL_S = 2.0
UPSTREAM_DB = 5
LIMITS = [Limit("lim_hard", Level.ORGANIZATION, Kind.BUDGET, BUDGET, "month")]


async def main(url: str, seed: int) -> None:
    # Machines under load are slow, not away: this test is about crashes.
    store, upstream = Valkey(url, timeout_s=30), Valkey(url.replace("db=0", f"db={UPSTREAM_DB}"), timeout_s=30)
    keeper, dice = LeaseKeeper(), random.Random(seed)
    async with asyncio.TaskGroup() as callers:
        callers.create_task(keeper.run(store))
        for _ in range(CALLERS):
            callers.create_task(call_for_ever(store, upstream, keeper, dice))


async def call_for_ever(store: Valkey, upstream: Valkey, keeper: LeaseKeeper, dice: random.Random) -> None:
    while True:
        draft = LeaseDraft(TTL_S, dice.randint(2_000, 20_000), {"surface": "v1", "model": "m"})
        request = a_request(ACME, rate=RateLimit(1_000_000, 1), limits=LIMITS, lease=draft)
        try:
            lease = (await services.admit(store, request, keeper=keeper)).lease
        except OverBudget:
            await asyncio.sleep(0.1)
            continue
        assert lease is not None
        await upstream.execute("SADD", "calls", str(request.request_id))
        await asyncio.sleep(dice.uniform(0.0, 0.3))
        cost = dice.randint(0, draft.estimate_micros)
        price = {"provider_cost_micros": cost, "markup_micros": 0, "charged_micros": cost}
        await services.settle(store, lease, a_settlement(**price), keeper=keeper)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
