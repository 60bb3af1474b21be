"""Real processes of the product for tests: web, worker, scheduler, each started, killed and looked at like in
production."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(check: Callable[[], Any], *, within: float = 10.0, every: float = 0.05) -> Any:
    """The first true value of ``check``; fails with its last value or error when none came in time."""
    deadline = time.monotonic() + within
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (AssertionError, httpx.HTTPError, LookupError) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"not within {within} s; last: {last!r}")


@dataclass
class Process:
    """One process of the product; its output is kept in ``log``."""

    arguments: list[str]
    env: Mapping[str, str]
    log: Path = field(default_factory=lambda: Path(tempfile.mkstemp(prefix="ikiro-log-")[1]))
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Process:
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *self.arguments], env=dict(self.env), cwd=ROOT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        return self

    def kill(self) -> None:
        """SIGKILL to the whole group: nothing gets to clean up."""
        assert self.popen is not None
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.popen.wait(10)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Org:
    """One provisioned organization, a full key of it, and how its owner signs in."""

    slug: str
    api_key: str
    base_url: str
    email: str = ""
    password: str = field(default="", repr=False)

    def client(self, api_key: str | None = None, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {api_key or self.api_key}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=30, **options)

    def async_client(self, api_key: str | None = None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {api_key or self.api_key}"}
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=60, limits=limits)


class Gateway:
    """The product on a stack: ``web``, ``worker`` and ``scheduler`` processes and the organizations acme and globex."""

    def __init__(self, env: Mapping[str, str], **overrides: str) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            **env,
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "ikiro.settings.test",
            **overrides,
        }
        served = ["-m", "ikiro.serve", "ikiro.asgi:application", "--port", str(self.port), "--patience", "5"]
        self.web = Process(served, {**self.env, "IKIRO_PROCESS": "ikiro-web"})
        self.scheduler = Process(["manage.py", "scheduler"], {**self.env, "IKIRO_PROCESS": "ikiro-scheduler"})
        self.worker = Process(
            ["-m", "celery", "-A", "ikiro", "worker", "-P", "threads", "--concurrency", "4", "--loglevel", "warning",
             "--without-gossip", "--without-mingle"], {**self.env, "IKIRO_PROCESS": "ikiro-worker"},
        )  # fmt: skip

    def manage(self, *arguments: str, check: bool = True) -> str:
        """Run a management command; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=dict(self.env),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout + ("" if check else done.stderr)

    def prepare(self) -> None:
        """Migrate, and build acme and globex with a key each."""
        self.manage("migrate_fleet")
        self.acme, self.globex = self.org("acme"), self.org("globex")

    def org(self, slug: str) -> Org:
        """A ready organization of this name, made when it is not there."""
        facts = json.loads(self.manage("quickstart", "--json", "--org", slug).splitlines()[-1])
        owner = facts["console"]
        return Org(slug, facts["api_key"], self.base_url, owner["email"], owner["password"])

    def start(self, *, worker: bool = True) -> None:
        """Start the processes and wait until the web process says that it is ready."""
        self.web.start()
        self.scheduler.start()
        if worker:
            self.worker.start()
        self.wait_ready()

    def wait_ready(self, within: float = 60.0) -> None:
        def ready() -> bool:
            return httpx.get(f"{self.base_url}/readyz", timeout=2).status_code == 200

        try:
            eventually(ready, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.web.output[-4000:]}") from None

    def stop(self) -> None:
        for process in (self.web, self.worker, self.scheduler):
            process.stop()

    @contextmanager
    def beside(self, **overrides: str) -> Iterator[Gateway]:
        """Another web process before the same stores and organizations, set differently."""
        other = Gateway(self.env, **overrides)
        other.acme = replace(self.acme, base_url=other.base_url)
        other.globex = replace(self.globex, base_url=other.base_url)
        other.web.start()
        try:
            other.wait_ready()
            yield other
        finally:
            other.web.stop()
