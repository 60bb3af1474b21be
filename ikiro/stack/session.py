"""Servers for a short command: the ones of a running ``make up``, or our own for as long as the command takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ikiro.stack.environment import Installation, describe_installation
from ikiro.stack.errors import BackupRefused, StackError
from ikiro.stack.lock import InstanceLock
from ikiro.stack.places import Places
from ikiro.stack.processes import wait_until

_START_PATIENCE = 30.0


@contextmanager
def exclusive(places: Places, *, purpose: str) -> Iterator[None]:
    """Hold the installation's lock; raises BackupRefused when the gateway or another command has it."""
    lock = InstanceLock(places.lock)
    holder = lock.acquire(purpose=purpose)
    if holder is not None:
        what = f"The gateway runs ({holder.url})" if holder.purpose == "up" else f"A {holder.purpose} is under way"
        raise BackupRefused(f"{what}, process {holder.pid}, in {places.state}. Stop it first.")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def servers(places: Places, *, environ: Mapping[str, str], purpose: str) -> Iterator[Installation]:
    """An installation whose servers answer: a running gateway's as they are, otherwise our own until the end."""
    installation = describe_installation(places, environ=environ)
    lock = InstanceLock(places.lock)
    holder = lock.acquire(purpose=purpose)
    if holder is not None and holder.purpose != "up":
        raise BackupRefused(f"A {holder.purpose} (process {holder.pid}) is under way in {places.state}.")
    if holder is not None:
        for server in (installation.postgres, installation.valkey):
            if server is not None and not wait_until(server.ready, timeout=_START_PATIENCE, interval=0.2):
                raise StackError(f"The gateway (process {holder.pid}) is starting or stopping; try again.")
        yield installation
        return
    try:
        start_servers(installation)
        yield installation
    finally:
        stop_servers(installation)
        lock.release()


def start_servers(installation: Installation) -> None:
    """Start the embedded servers beside each other."""
    running = [server for server in (installation.valkey, installation.postgres) if server is not None]
    for server in running:
        server.launch()
    for server in running:
        server.wait_ready()


def stop_servers(installation: Installation) -> None:
    """Stop the embedded servers."""
    for server in (installation.valkey, installation.postgres):
        if server is not None:
            server.stop()
