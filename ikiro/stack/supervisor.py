"""Starts the servers, runs the preparing steps, keeps the children alive, and stops everything in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ikiro.stack.child import BACKOFF_SECONDS, Child, ChildSpec
from ikiro.stack.environment import Installation
from ikiro.stack.errors import StackError
from ikiro.stack.leash import leashed
from ikiro.stack.loop import Loop
from ikiro.stack.orphans import record_children
from ikiro.stack.output import LogFile, Terminal, rotate
from ikiro.stack.places import PROJECT_ROOT
from ikiro.stack.postgres import Postgres
from ikiro.stack.valkey import Valkey

TICK_SECONDS = 0.25
STEP_PATIENCE = 10.0


@dataclass(slots=True)
class _Server:
    """An embedded server, and when it may be started again after a crash."""

    name: str
    server: Postgres | Valkey
    crashes: int = 0
    restart_at: float | None = None


@dataclass(slots=True)
class _Step:
    """A command that runs to its end; several may run beside each other."""

    name: str
    process: subprocess.Popen[bytes]
    log: LogFile
    output: list[bytes] = field(default_factory=list)


class Supervisor:
    """One per ``up``. Every method belongs to the main thread."""

    def __init__(self, installation: Installation, *, loop: Loop, terminal: Terminal, env: Mapping[str, str]) -> None:
        self.loop = loop
        self.terminal = terminal
        self.places = installation.places
        self._env = {**installation.env, **env, "PYTHONUNBUFFERED": "1"}
        found = (("valkey", installation.valkey), ("postgres", installation.postgres))
        self._servers = [_Server(name, server) for name, server in found if server is not None]
        self._children: list[Child] = []
        self._steps: list[_Step] = []

    def start_servers(self) -> None:
        """Start the embedded servers beside each other and wait until both answer."""
        for entry in self._servers:
            rotate(entry.server.log)
            entry.server.launch()
        for entry in self._servers:
            entry.server.wait_ready(self.loop.pause)

    def begin_step(self, name: str, *argv: str) -> _Step:
        """Start a command; its standard output is kept, its errors are relayed."""
        log = LogFile(self.places.logs / f"{name}.log")
        (out_read, out_write), (error_read, error_write) = os.pipe(), os.pipe()
        process = subprocess.Popen(
            leashed(list(argv), number=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=out_write,
            stderr=error_write,
            cwd=PROJECT_ROOT,
            env=self._env,
            start_new_session=True,
        )
        step = _Step(name, process, log)
        os.close(out_write)
        os.close(error_write)
        self.loop.watch(out_read, step.output.append)
        self.loop.watch(error_read, lambda line: self._relay(name, log, line))
        self._steps.append(step)
        return step

    def finish_step(self, step: _Step) -> str:
        """Wait for a step; its standard output, any number of times. Raises StackError with its log when it fails."""
        while step.process.poll() is None:
            self.loop.pause(0.02)
        self.loop.drain()
        if step in self._steps:
            self._steps.remove(step)
        output = b"\n".join(step.output).decode("utf-8", "replace")
        if step.process.returncode != 0:
            raise StackError(f"{step.name} failed ({step.process.returncode}):\n{output}\n{step.log.tail()}".strip())
        return output

    def start_child(self, spec: ChildSpec) -> Child:
        """Start a process and keep it running from now on."""
        log = LogFile(self.places.logs / f"{spec.name}.log")
        child = Child(spec, env=self._env, cwd=PROJECT_ROOT, log=log)
        self._children.append(child)
        self._spawn(child)
        return child

    def tick(self, seconds: float = TICK_SECONDS) -> None:
        """Relay output for a moment and start again what ended.

        Raises Stopped when asked to stop, StackError when a step has failed.
        """
        self.loop.pause(seconds)
        for step in [step for step in self._steps if step.process.poll()]:
            self.finish_step(step)  # raises: there is no use in going on
        for child in self._children:
            self._revive_child(child)
        for entry in self._servers:
            self._revive_server(entry)

    def run(self) -> None:
        """Tick until somebody stops us; raises Stopped."""
        while True:
            self.tick()

    def stop(self) -> None:
        """Web, worker, scheduler, then Valkey, then PostgreSQL. A second signal cuts the waiting short."""
        for step in self._steps:
            step.process.terminate()
            self._await(lambda step=step: step.process.poll() is not None, STEP_PATIENCE)
            step.process.kill()
            step.process.wait()
        for child in self._children:
            child.signal(signal.SIGTERM)
            if not self._await(lambda child=child: not child.running(), child.spec.patience):
                self.terminal.say(f"{child.spec.name} did not end by itself and was killed.")
                child.signal(signal.SIGKILL)
                self._await(lambda child=child: not child.running(), 5.0)
        for entry in self._servers:
            entry.server.stop()
        self.loop.drain()
        record_children(self.places.state, [])

    def _await(self, condition, patience: float) -> bool:  # type: ignore[no-untyped-def]
        asked = self.loop.stop_requests
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline or self.loop.stop_requests > asked:
                return False
            self.loop.pump(0.02)
        return True

    def _spawn(self, child: Child) -> None:
        descriptor = child.spawn()
        self.loop.watch(descriptor, lambda line: self._relay(child.spec.name, child.log, line))
        record_children(self.places.state, [child.pid for child in self._children if child.pid is not None])

    def _relay(self, name: str, log: LogFile, line: bytes) -> None:
        log.write(line)
        self.terminal.relay(name, line)

    def _revive_child(self, child: Child) -> None:
        code = child.returncode()
        if code is not None:
            delay = child.plan_restart()
            self.terminal.say(f"{child.spec.name} ended ({_ending(code)}); it starts again in {delay:.0f} s.")
        elif child.restart_at is not None and time.monotonic() >= child.restart_at:
            self._spawn(child)

    def _revive_server(self, entry: _Server) -> None:
        now = time.monotonic()
        if entry.restart_at is not None:
            if now >= entry.restart_at:
                entry.restart_at = None
                try:
                    entry.server.launch()
                    entry.server.wait_ready(self.loop.pause)
                    self.terminal.say(f"{entry.name} runs again.")
                except StackError as error:
                    self.terminal.say(str(error))
                    self._plan_server(entry, now)
        elif not entry.server.alive():
            self._plan_server(entry, now)

    def _plan_server(self, entry: _Server, now: float) -> None:
        delay = BACKOFF_SECONDS[min(entry.crashes, len(BACKOFF_SECONDS) - 1)]
        entry.crashes += 1
        entry.restart_at = now + delay
        self.terminal.say(f"{entry.name} ended; it starts again in {delay:.0f} s. See {entry.server.log}")


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
