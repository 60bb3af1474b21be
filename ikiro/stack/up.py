"""``make up``: everything from nothing to the first answer, in one process that stays in the foreground."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping

from ikiro.stack.announce import announcement
from ikiro.stack.child import Child, ChildSpec
from ikiro.stack.environment import describe_installation
from ikiro.stack.errors import StackError
from ikiro.stack.lock import InstanceLock
from ikiro.stack.loop import Loop, Stopped
from ikiro.stack.orphans import end_orphans
from ikiro.stack.output import Terminal
from ikiro.stack.places import resolve_places
from ikiro.stack.prepared import is_prepared, note_prepared
from ikiro.stack.readiness import HOST, ask_readiness, parse_port, require_free_port
from ikiro.stack.supervisor import Supervisor

READY_SECONDS = 120.0
SAY_SECONDS = 10.0
HOPELESS_EXITS = 3  # a web process that ends this often before it was ever ready is misconfigured


def command(arguments: argparse.Namespace) -> int:
    """``python -m ikiro.stack up``."""
    return up()


def up(*, environ: Mapping[str, str] = os.environ) -> int:
    """Start everything and keep it running until a stop signal; the exit code."""
    started = time.monotonic()
    terminal = Terminal()
    try:
        port = parse_port(environ.get("PORT") or "8000")
        places = resolve_places(environ)
        url = f"http://{HOST}:{port}"
        lock = InstanceLock(places.lock)
        holder = lock.acquire(purpose="up", url=url)
        if holder is not None:
            if holder.purpose == "up":
                terminal.say(f"Ikiro Gateway is already running: {holder.url} (process {holder.pid}, {places.state})")
                return 0
            raise StackError(f"A {holder.purpose} (process {holder.pid}) is using {places.state}. Try again after it.")
        try:
            require_free_port(port)
            own = {"PORT": str(port), "IKIRO_PUBLIC_URL": environ.get("IKIRO_PUBLIC_URL") or url}
            loop = Loop()
            loop.install()
            installation = describe_installation(places, environ=environ)
            supervisor = Supervisor(installation, loop=loop, terminal=terminal, env=own)
            # Somebody else's embedder is theirs to keep running.
            embeds = environ.get("IKIRO_EMBEDDER") != "0" and not environ.get("IKIRO_EMBEDDER_SOCKET")
            return _supervise(supervisor, port=port, started=started, embeds=embeds)
        finally:
            lock.release()
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _supervise(supervisor: Supervisor, *, port: int, started: float, embeds: bool) -> int:
    terminal, places = supervisor.terminal, supervisor.places
    try:
        end_orphans(places.state)
        supervisor.start_servers()
        prepare = supervisor.begin_step("prepare", *_manage("prepare"))
        if not is_prepared(places):
            supervisor.finish_step(prepare)
        web = supervisor.start_child(_web(port))
        _wait_until_ready(supervisor, web, port=port)
        if embeds:
            supervisor.start_child(_EMBEDDER)
        supervisor.start_child(_WORKER)
        supervisor.start_child(_SCHEDULER)
        facts = json.loads(supervisor.finish_step(prepare))
        note_prepared(places)
        terminal.say(announcement(facts=facts, seconds=time.monotonic() - started, logs=str(places.logs)))
        supervisor.run()
    except Stopped:
        terminal.say("Stopping …")
    finally:
        supervisor.stop()
    terminal.say("Stopped.")
    return 0


def _wait_until_ready(supervisor: Supervisor, web: Child, *, port: int) -> None:
    begun = time.monotonic()
    said = 0.0
    while not (answer := ask_readiness(port)).ok:
        waited = time.monotonic() - begun
        if web.exits >= HOPELESS_EXITS:
            raise StackError(f"The web process does not start:\n{web.log.tail()}")
        if waited > READY_SECONDS:
            raise StackError(f"The gateway was not ready after {READY_SECONDS:.0f} s: {answer.status} {answer.reason}")
        if waited - said > SAY_SECONDS:
            said = waited
            supervisor.terminal.say(f"Waiting for the gateway, {waited:.0f} s: {answer.status} {answer.reason}")
        supervisor.tick(0.05)


def _manage(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "manage.py", *arguments)


def _web(port: int) -> ChildSpec:
    served = (
        "-m",
        "ikiro.serve",
        "ikiro.asgi:application",
        "--host",
        HOST,
        "--port",
        str(port),
        "--log-level",
        "warning",
    )
    return ChildSpec("web", (sys.executable, *served), 15.0)


_EMBEDDER = ChildSpec("embedder", (sys.executable, "-m", "ikiro.embedder"), 5.0)
_WORKER = ChildSpec(
    "worker",
    (
        # Its warning about root is for servers; here whoever runs the command owns all there is.
        *(sys.executable, "-W", "ignore:You're running the worker"),
        *("-m", "celery", "--quiet", "-A", "ikiro", "worker", "-P", "threads", "--concurrency", "4"),
        *("--loglevel", "warning", "--without-gossip", "--without-mingle"),
    ),
    20.0,
)
_SCHEDULER = ChildSpec("scheduler", _manage("scheduler"), 10.0)
