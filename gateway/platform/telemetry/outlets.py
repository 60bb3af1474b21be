"""The outlets of one process, opened by its settings: loops for the lifespan to run, and their last words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.platform.telemetry import events, tracing
from gateway.platform.telemetry.families import Family
from gateway.platform.telemetry.metrics import metrics
from gateway.platform.telemetry.shipping import Shipper

_open: list[Shipper[Any]] = []


def open_all() -> dict[str, Callable[[], Awaitable[None]]]:
    """What a web process must keep running for its telemetry, by name."""
    _open[:] = [one for one in (events.configure(), tracing.configure()) if one is not None]
    loops: dict[str, Callable[[], Awaitable[None]]] = {f"telemetry-{one.name}": one.run for one in _open}
    return {**loops, "loop-lag": metrics.watch_loop}


async def flush() -> None:
    """Send what is left at shutdown, for a few seconds at most."""
    for shipper in _open:
        await shipper.flush()


def families() -> list[Family]:
    """How the outlets themselves are doing."""
    sent = [("_total", {"outlet": one.name}, float(one.sent)) for one in _open]
    dropped = [("_total", {"outlet": one.name}, float(one.dropped)) for one in _open]
    waiting = [("", {"outlet": one.name}, float(one.waiting)) for one in _open]
    return [
        Family("ikiro_telemetry_sent", "counter", "Events and spans that were taken.", sent),
        Family("ikiro_telemetry_dropped", "counter", "Events and spans for which there was no room.", dropped),
        Family("ikiro_telemetry_waiting", "gauge", "Events and spans on their way.", waiting),
    ]
