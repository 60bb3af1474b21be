"""What the admission's one step of the store costs by itself: the same script over the same limits, asked by a process
that does nothing else, at once and after a pause.

A process of its own (``python -m tests.bench.roundtrip``) with the product's environment; prints one JSON object, times
in milliseconds. It is the least that any first chunk comes later for having been admitted.
"""

from __future__ import annotations

import asyncio
import json
import time

import django
import uvloop

ROUNDS, PAUSED_ROUNDS, PAUSE_S = 300, 9, 1.0


async def main() -> dict[str, float]:
    from gateway.core import ids
    from gateway.platform.admission import gate, services
    from gateway.platform.admission.limits import CALLS, Kind, Level, Limit, applied
    from gateway.platform.admission.types import AdmissionRequest

    whole = applied(
        [
            Limit("plan", Level.ORGANIZATION, Kind.REQUESTS, 10**9, 60),
            Limit("plan", Level.ORGANIZATION, CALLS, 10**9, "month"),
        ],
        ["o", "kbench"],
    )
    request = AdmissionRequest(ids.uuid7(), ids.uuid7(), ids.uuid7(), whole, counts_as_call=True)

    async def timed(rounds: int, pause_s: float) -> float:
        found = []
        for _ in range(rounds):
            await asyncio.sleep(pause_s)
            began = time.perf_counter()
            await services.look(gate.store(), request)
            found.append(time.perf_counter() - began)
        return round(sorted(found)[rounds // 2] * 1000, 3)

    await timed(20, 0)
    result = {"at_once_ms": await timed(ROUNDS, 0), "after_a_pause_ms": await timed(PAUSED_ROUNDS, PAUSE_S)}
    await gate.close()
    return result


if __name__ == "__main__":
    django.setup()
    print(json.dumps(uvloop.run(main())))
