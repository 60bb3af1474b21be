"""One target after the other, until one begins to answer.

The next target is asked only before the first frame, and only where it can help: the provider could not be reached, did
not begin in time, said that it cannot now, refused its own credential, or does not have the model. Never for what is
wrong with the request, and never once something was said. An attempt that timed out may be billed by its provider; it
is metered as such.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from gateway.core.egress import UpstreamTimeout
from gateway.core.errors import GatewayError
from gateway.engine.routing.types import Leg, Plan
from gateway.platform.providers import health
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Route
from gateway.platform.providers.errors import ModelNotFound

T = TypeVar("T")
# Asks one target: (the target, where its attempts are noted, how often it may be asked again; None: as configured).
Start = Callable[[Route, list[Attempt], int | None], Awaitable[T]]
_ELSEWHERE = frozenset({"shape_not_served"})


async def walk(plan: Plan, start: Start[T], made: list[Leg], *, stream: bool) -> T:
    """The first answer that begins; ``made`` gets a leg for each target that was asked. Raises the last error."""
    patience = plan.timeouts.get("first_token_s" if stream else "total_s")
    for number, route in enumerate(plan.routes, 1):
        leg, last = Leg(route), number == len(plan.routes)
        made.append(leg)
        try:
            # Another target is better than another try at one that has just failed.
            return await _within(patience, leg, start(route, leg.attempts, None if last else 0))
        except GatewayError as error:
            if last or not helps_elsewhere(error):
                raise
    raise RuntimeError("a plan has at least one target")


def helps_elsewhere(error: GatewayError) -> bool:
    """Whether another provider may do what this one did not."""
    return health.failed(error) or isinstance(error, ModelNotFound) or error.code in _ELSEWHERE


async def _within(seconds: float | None, leg: Leg, opening: Awaitable[T]) -> T:
    """``opening``, given up after so many seconds as a provider that was too late would be."""
    if seconds is None:
        return await opening
    try:
        async with asyncio.timeout(seconds):
            return await opening
    except TimeoutError:
        late = UpstreamTimeout(f"{leg.route.name} did not begin to answer within {seconds:g} s.")
        leg.route.entry.health.note(leg.route.model, late)
        if leg.attempts:
            leg.attempts[-1] = replace(leg.attempts[-1], code=late.code)
        raise late from None
