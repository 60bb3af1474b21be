"""The supervisor restarts what ends, stops in order, and takes its children along when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikiro.stack.environment import describe_installation
from ikiro.stack.places import Places
from ikiro.stack.processes import is_alive, wait_until
from tests.stack.conftest import ROOT


class Running:
    """The small installation as a process, and what its children wrote."""

    def __init__(self, environ: dict[str, str], places: Places, *, delay: float = 0.0) -> None:
        self.trail_file = places.state / "trail"
        self.output_file = places.state / "output"
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("supervised.py")), str(delay)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                cwd=ROOT,
            )
        installation = describe_installation(places, environ=environ, test=True)
        assert installation.postgres is not None
        assert installation.valkey is not None
        self.postgres, self.valkey = installation.postgres, installation.valkey
        assert wait_until(lambda: len(self.trail()) >= 3, timeout=30), self.output()

    def output(self) -> str:
        return self.output_file.read_text()

    def trail(self) -> list[list[str]]:
        return [line.split() for line in self.trail_file.read_text().splitlines()] if self.trail_file.exists() else []

    def pid(self, name: str) -> int:
        return int([pid for what, who, pid in self.trail() if (what, who) == ("start", name)][-1])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


@pytest.fixture
def running(places: Places, clean_environ: dict[str, str]) -> Iterator[Running]:
    started = Running(clean_environ, places)
    yield started
    if started.process.poll() is None:
        started.stop()
    started.valkey.kill()
    started.postgres.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_supervisor__asked_to_stop__ends_all_in_order_with_exit_code_0(
    running: Running, number: signal.Signals
) -> None:
    assert running.stop(number) == 0
    assert [name for what, name, _ in running.trail() if what == "end"] == ["web", "worker", "scheduler"]
    assert running.postgres.pid is None
    assert running.valkey.pid is None
    assert not (running.postgres.data / "postmaster.pid").exists()  # an orderly end, not a crash


def test_supervisor__child_crashes__is_started_again_and_said(running: Running) -> None:
    first = running.pid("worker")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: running.pid("worker") != first, timeout=10)
    assert is_alive(running.pid("worker"))
    assert "worker ended (signal 9); it starts again in 1 s." in running.output()
    assert "worker    | hello from worker" in running.output()
    assert running.stop() == 0


def test_supervisor__servers_killed__are_started_again_with_their_data(running: Running) -> None:
    running.postgres.psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    running.valkey.ask("SET", "kept", "7")
    running.postgres.kill()
    running.valkey.kill()
    assert wait_until(lambda: running.postgres.ready() and running.valkey.ready(), timeout=15)
    assert running.postgres.psql("SELECT n FROM kept") == "7"
    assert running.valkey.ask("GET", "kept") == "7"
    assert running.stop() == 0


def test_supervisor__killed__takes_everything_along_and_the_next_start_has_the_data(
    running: Running, places: Places, clean_environ: dict[str, str]
) -> None:
    running.postgres.psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    pids = [running.pid(name) for name in ("web", "worker", "scheduler")]
    running.process.kill()
    running.process.wait()
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids), timeout=5)
    running.trail_file.unlink()
    again = Running(clean_environ, places)
    assert again.postgres.psql("SELECT n FROM kept") == "7"
    assert again.stop() == 0


def test_supervisor__second_signal__cuts_the_waiting_short(places: Places, clean_environ: dict[str, str]) -> None:
    slow = Running(clean_environ, places, delay=30)
    begun = time.monotonic()
    slow.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert slow.stop(signal.SIGINT) == 0
    assert time.monotonic() - begun < 3.0
    assert "web did not end by itself and was killed." in slow.output()
    assert slow.postgres.pid is None


def test_supervisor__terminal_closed__goes_on_and_logs(places: Places, clean_environ: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("supervised.py")), "0"],
        stdout=subprocess.PIPE,
        env=clean_environ,
        cwd=ROOT,
    )
    assert process.stdout is not None
    process.stdout.close()
    trail = places.state / "trail"
    assert wait_until(lambda: trail.exists() and trail.read_text().count("start") == 3, timeout=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert "hello from web" in (places.logs / "web.log").read_text()
