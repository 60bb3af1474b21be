"""One supervisor per state directory; a port that is taken gets a clear message."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ikiro.stack.errors import PortTaken, StackError
from ikiro.stack.lock import InstanceLock
from ikiro.stack.places import Places
from ikiro.stack.readiness import HOST, ask_readiness, parse_port, require_free_port
from tests.stack.conftest import ROOT

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from ikiro.stack.lock import InstanceLock\n"
    "assert InstanceLock(Path(sys.argv[1])).acquire(purpose=sys.argv[2], url='http://127.0.0.1:4321') is None\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def hold(places: Places, purpose: str) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(places.lock), purpose], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate()


def run_stack(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ikiro.stack", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_lock__holder_killed__is_free_at_once(places: Places) -> None:
    holder = hold(places, "up")
    found = InstanceLock(places.lock).acquire(purpose="up")
    assert found is not None
    assert (found.purpose, found.pid, found.url) == ("up", holder.pid, "http://127.0.0.1:4321")
    end(holder)
    mine = InstanceLock(places.lock)
    assert mine.acquire(purpose="up") is None
    mine.release()


def test_lock__held__is_not_inherited_by_children(places: Places) -> None:
    mine = InstanceLock(places.lock)
    assert mine.acquire(purpose="up") is None
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mine.release()
    other = InstanceLock(places.lock)
    assert other.acquire(purpose="up") is None
    other.release()
    child.kill()
    child.wait()


def test_up__first_one_runs__says_where_and_starts_nothing(places: Places, clean_environ: dict[str, str]) -> None:
    holder = hold(places, "up")
    second = run_stack(clean_environ, "up")
    end(holder)
    expected = f"Ikiro Gateway is already running: http://127.0.0.1:4321 (process {holder.pid}, {places.state})\n"
    assert (second.stdout, second.stderr, second.returncode) == (expected, "", 0)
    assert not places.postgres_data.exists()


def test_up__restore_under_way__is_refused(places: Places, clean_environ: dict[str, str]) -> None:
    holder = hold(places, "restore")
    second = run_stack(clean_environ, "up")
    end(holder)
    assert second.returncode == 1
    assert f"A restore (process {holder.pid}) is using {places.state}" in second.stderr
    assert not places.postgres_data.exists()


def test_up__port_taken__names_port_and_starts_nothing(
    places: Places, clean_environ: dict[str, str], taken_port: int
) -> None:
    refused = run_stack({**clean_environ, "PORT": str(taken_port)}, "up")
    assert refused.returncode == 1
    assert f"Port {taken_port} is taken by another program." in refused.stderr
    assert "make up PORT=" in refused.stderr
    assert not places.postgres_data.exists()
    mine = InstanceLock(places.lock)
    assert mine.acquire(purpose="up") is None
    mine.release()


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "8000x", "８０００", "80 00"])
def test_port__not_a_port__is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a port number from 1 to 65535"):
        parse_port(text)


def test_port__taken__is_refused(taken_port: int) -> None:
    with pytest.raises(PortTaken):
        require_free_port(taken_port)


def test_port__only_closing_connections_left__is_free() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        client = socket.create_connection((HOST, port))
        server, _ = listener.accept()
        server.close()  # our side closes first, so our side keeps TIME_WAIT
        client.close()
    time.sleep(0.1)
    require_free_port(port)


def test_readiness__nobody_listens__is_no_error() -> None:
    with socket.socket() as unbound:
        unbound.bind((HOST, 0))
        answer = ask_readiness(unbound.getsockname()[1])
    assert (answer.ok, answer.status) == (False, 0)


def test_state_directory__of_another_user__is_named(places: Places, clean_environ: dict[str, str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a directory away")
    os.chown(places.state, 65534, 65534)
    refused = run_stack(clean_environ, "up")
    os.chown(places.state, 0, 0)
    assert refused.returncode == 1
    assert f"{places.state} belongs to another user (uid 65534)" in refused.stderr
