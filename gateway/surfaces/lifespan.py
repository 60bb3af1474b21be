"""What a web process runs besides requests: the directory's follower, lease renewal, the journal's replay, last-used
times."""

from __future__ import annotations

import contextlib
import gc

from gateway.core import egress
from gateway.core.background import Group
from gateway.core.errors import Unavailable
from gateway.platform import embeddings
from gateway.platform.admission import gate
from gateway.platform.frames import writer
from gateway.platform.providers import last_used as providers_last_used
from gateway.platform.providers import prices
from gateway.platform.telemetry import outlets
from gateway.surfaces import bodies, last_used, metrics, repeats
from tenants.directory import directory
from tenants.obedience import Reporter

_group = Group()
_reporter = Reporter()
# A request makes a few hundred container objects, nearly all freed by reference counting before a collection could.
_YOUNG_OBJECTS = 20_000


async def start() -> None:
    """Begin the background loops. Nothing here waits for a store: a process starts while they are away and heals."""
    _settle_heap()
    _group.run("directory", lambda: directory.follow(gate.read_epoch, _report))
    _group.run("last-used", last_used.loop)
    _group.run("providers-last-used", providers_last_used.loop)
    _group.run("prices", _warm_prices)
    _group.run("frames", writer.keep_alive)
    _group.run("idempotency", repeats.keep_alive)
    _group.run("bodies", bodies.loop)
    for name, loop in {**gate.background_loops(), **outlets.open_all(), **metrics.background_loops()}.items():
        _group.run(name, loop)


async def stop() -> None:
    """End them, after the accounting under way has ended."""
    await _group.stop()
    await last_used.flush()
    await bodies.flush()
    await _leave()
    await providers_last_used.flush()
    await outlets.flush()
    await embeddings.close()
    await gate.close()
    await egress.close_pool()


def _settle_heap() -> None:
    """What was imported stays for ever: keep the garbage collector from walking it again and again while requests come
    and go."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)


async def _report(version: int) -> None:
    """Tell which version of the directory is obeyed here."""
    await _reporter.report(gate.store(), version)


async def _leave() -> None:
    """Tell that nothing is decided here any more; a store that is away forgets this process by itself."""
    with contextlib.suppress(Unavailable):
        await _reporter.leave(gate.store())


async def _warm_prices() -> None:
    """Load the price list before the first request needs it; it takes a third of a second."""
    prices.warm()
