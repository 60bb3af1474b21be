"""`make up` with the real product: the printed key works, nothing is lost, and it ends cleanly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ikiro.stack.places import Places
from ikiro.stack.postgres import Postgres
from ikiro.stack.processes import command_line, holders, is_alive, wait_until
from tests.embedding import Peer
from tests.stack.conftest import ROOT

FIRST_START_S = 60.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Up:
    """One run of the command, and what it printed."""

    def __init__(self, environ: dict[str, str], output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ikiro.stack", "up"],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environ,
                cwd=ROOT,
            )
        done = wait_until(lambda: "Ctrl-C stops" in self.text() or self.process.poll() is not None, timeout=150)
        assert done, self.text()
        assert self.process.poll() is None, self.text()

    def text(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def seconds(self) -> float:
        found = re.search(r"the start took ([\d.]+) s", self.text())
        assert found is not None
        return float(found[1])

    @property
    def curl(self) -> str:
        return self.text().partition("First call:\n\n")[2].partition("\n\n")[0]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def paste(curl: str) -> dict[str, object]:
    """Do what the printed command does, without curl: this machine may have none."""
    url = re.search(r"curl -s (\S+)", curl)
    headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", curl))
    body = re.search(r"-d '(.*)'", curl)
    assert url is not None
    assert body is not None
    request = urllib.request.Request(url[1], data=body[1].encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def descendants(pid: int) -> list[int]:
    """Every live process below ``pid``."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def wait_for_embedder(places: Places, up: Up, *, other_than: int = 0) -> int:
    """The pid of the embedder below ``up``, once it answers."""

    def found() -> list[int]:
        # Not the supervisor, which keeps it alive, nor the leash around it: the process that listens.
        mine = [pid for pid in descendants(up.process.pid) if "ikiro.embedder" in command_line(pid)]
        return [pid for pid in mine if pid != other_than and not descendants(pid)]

    def answers() -> bool:
        try:
            with Peer(places.embedder_socket):
                return bool(found())
        except OSError:
            return False

    assert wait_until(answers, timeout=60)
    return found()[0]


def test_up__from_nothing_then_killed_then_stopped__answers_each_time_with_the_same_key(
    places: Places, clean_environ: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    environ = {**clean_environ, "PORT": str(port)}
    first = Up(environ, tmp_path / "first.log")
    try:
        assert first.seconds < FIRST_START_S
        answer = paste(first.curl)
        assert answer["object"] == "chat"
        assert answer["citations"]
        assert answer["proposedWrites"]
        assert f"http://127.0.0.1:{port}/" in first.text()

        second = subprocess.run(
            [sys.executable, "-m", "ikiro.stack", "up"],
            capture_output=True,
            text=True,
            check=False,
            env=environ,
            cwd=ROOT,
        )
        assert second.returncode == 0
        assert second.stdout.startswith(f"Ikiro Gateway is already running: http://127.0.0.1:{port} ")

        everything = [first.process.pid, *descendants(first.process.pid)]
        for pid in everything:
            with contextlib.suppress(ProcessLookupError):  # some end as soon as their parent does
                os.kill(pid, signal.SIGKILL)
        first.process.wait()
        assert wait_until(lambda: not any(is_alive(pid) for pid in everything), timeout=10)

        again = Up(environ, tmp_path / "again.log")
        assert again.curl == first.curl
        assert paste(again.curl)["object"] == "chat"
        below = descendants(again.process.pid)
        assert len(below) >= 6
        embedder = wait_for_embedder(places, again)
        os.kill(embedder, signal.SIGKILL)
        assert wait_for_embedder(places, again, other_than=embedder) != embedder
        assert "embedder ended (signal 9); it starts again" in again.text()
        below = descendants(again.process.pid)
        assert again.stop(signal.SIGINT) == 0
        assert not any(is_alive(pid) for pid in below)
        assert "Traceback" not in again.text()
    finally:
        if first.process.poll() is None:
            first.stop(signal.SIGTERM)
    assert holders(places.postgres_data, program="postgres") == []
    assert not (places.postgres_data / "postmaster.pid").exists()


def test_up__migration_fails__says_so_and_leaves_nothing_running(
    places: Places, clean_environ: dict[str, str], tmp_path: Path
) -> None:
    started = time.monotonic()
    refused = subprocess.run(
        [sys.executable, "-m", "ikiro.stack", "up"],
        capture_output=True,
        text=True,
        check=False,
        env={**clean_environ, "PORT": str(free_port()), "IKIRO_DB_POOL": "none"},
        cwd=ROOT,
    )
    assert refused.returncode == 1
    assert "prepare failed (1)" in refused.stderr
    assert "IKIRO_DB_POOL='none' must be a whole number" in refused.stderr
    assert time.monotonic() - started < 30
    server = Postgres(data=places.postgres_data, runtime=places.runtime, log=places.logs / "postgres.log")
    assert server.pid is None
    assert tmp_path.exists()
