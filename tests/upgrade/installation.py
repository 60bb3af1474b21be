"""One checkout of the product, run on a state directory of its own: this version or an older one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from ikiro.stack.environment import Installation as Servers
from ikiro.stack.environment import describe_installation
from ikiro.stack.places import make_places
from ikiro.stack.session import servers
from tests.harness import free_port

_READY = "Ctrl-C stops everything."


@dataclass
class Installation:
    """``tree`` is the checkout whose code runs, ``python`` its interpreter, ``directory`` holds state and log."""

    tree: Path
    python: Path
    directory: Path
    more: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.places = make_places(self.directory / "state")
        self.log = self.directory / "up.log"
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "PG", "DJANGO_"))}
        outer.pop("PYTHONPATH", None)
        self.env = {**outer, "IKIRO_STATE_DIR": str(self.places.state), "PORT": str(self.port), **self.more}

    @contextmanager
    def up(self) -> Iterator[float]:
        """``python -m ikiro.stack up`` until the block ends; the seconds until it was ready. Fails with its log."""
        begun = time.monotonic()
        with self.log.open("ab") as output:
            start = output.tell()
            self.process = subprocess.Popen(
                [self.python, "-m", "ikiro.stack", "up"], env=self.env, cwd=self.tree, stdout=output, stderr=output
            )
        try:
            while _READY not in self.log.read_text(errors="replace")[start:]:
                assert self.process.poll() is None, self.log.read_text(errors="replace")
                assert time.monotonic() - begun < 150, self.log.read_text(errors="replace")
                time.sleep(0.05)
            yield time.monotonic() - begun
        except BaseException:
            self.stop()
            raise
        assert self.stop() == 0, self.log.read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def run(self, *arguments: str) -> str:
        """Run ``python ARGUMENTS`` in the checkout; its output. Fails when it fails."""
        done = subprocess.run(
            [self.python, *arguments], env=self.env, cwd=self.tree, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, api_key: str) -> httpx.Client:
        base_url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=base_url, headers={"authorization": f"Bearer {api_key}"}, timeout=30)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection of the owner's: to the running gateway's server, or to one started for the moment."""
        with servers(self.places, environ=self.env, purpose="backup") as installation:
            with psycopg.connect(installation.env["IKIRO_DATABASE_URL"]) as connection:
                yield connection

    def servers(self) -> Servers:
        return describe_installation(self.places, environ=self.env)

    def remove_sockets(self) -> None:
        shutil.rmtree(self.places.runtime, ignore_errors=True)
