"""What a web process runs besides requests: the directory's follower, lease renewal, the journal's replay, last-used
times."""

from __future__ import annotations

from gateway.core import egress
from gateway.core.background import Group
from gateway.platform.admission import gate
from gateway.platform.providers import prices
from gateway.surfaces import last_used
from tenants.directory import directory

_group = Group()


async def start() -> None:
    """Begin the background loops. Nothing here waits for a store: a process starts while they are away and heals."""
    _group.run("directory", lambda: directory.follow(gate.read_epoch))
    _group.run("last-used", last_used.loop)
    _group.run("prices", _warm_prices)
    for name, loop in gate.background_loops().items():
        _group.run(name, loop)


async def stop() -> None:
    """End them, after the accounting under way has ended."""
    await _group.stop()
    await last_used.flush()
    await gate.close()
    await egress.close_pool()


async def _warm_prices() -> None:
    """Load the price list before the first request needs it; it takes a third of a second."""
    prices.warm()
