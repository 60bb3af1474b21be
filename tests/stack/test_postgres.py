"""PostgreSQL starts again after anything, with every committed row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ikiro.stack.errors import PostgresMajorMismatch, StackError
from ikiro.stack.places import Places
from ikiro.stack.postgres import Postgres
from ikiro.stack.processes import holders, is_alive, wait_until
from ikiro.stack.testing import TestStack


def test_postgres__killed_with_all_backends__every_committed_row_is_there(stack: TestStack) -> None:
    stack.postgres.psql("CREATE TABLE counted (n int); INSERT INTO counted SELECT generate_series(1, 100000)")
    stack.postgres.kill()
    assert holders(stack.postgres.data, program="postgres") == []
    stack.postgres.start()
    assert stack.postgres.psql("SELECT count(*), sum(n) FROM counted") == "100000|5000050000"


def test_postgres__only_the_postmaster_killed_under_a_busy_backend__starts_again(stack: TestStack) -> None:
    stack.postgres.psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    busy = subprocess.Popen(
        [*stack.postgres.client("psql"), "-c", "SELECT pg_sleep(60)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = stack.postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    stack.postgres.start()
    busy.wait(timeout=20)
    assert stack.postgres.pid not in {None, pid}
    assert stack.postgres.psql("SELECT n FROM kept") == "7"


def test_postgres__pid_file_names_a_stranger__is_not_taken_for_the_server(stack: TestStack) -> None:
    stack.postgres.stop()
    pid_file = stack.postgres.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{stack.postgres.data}\n0\n5432\n{stack.places.runtime}\n\n0\nready   \n")
    assert stack.postgres.pid is None
    stack.postgres.start()
    assert stack.postgres.psql("SELECT 1") == "1"
    assert is_alive(os.getpid())


def test_postgres__killed_but_not_yet_gone__is_not_adopted(stack: TestStack) -> None:
    pid = stack.postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # as a killed server looks until the kernel has ended it: pid and file, no answers
    second = Postgres(data=stack.postgres.data, runtime=stack.places.runtime, log=stack.postgres.log)
    threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
    second.start()
    try:
        assert second.pid not in {None, pid}
        assert second.psql("SELECT 1") == "1"
    finally:
        second.stop()


def test_postgres__already_running__is_adopted(stack: TestStack) -> None:
    second = Postgres(data=stack.postgres.data, runtime=stack.places.runtime, log=stack.postgres.log)
    second.start()
    assert second.pid == stack.postgres.pid
    assert holders(stack.postgres.data, program="postgres")


def test_postgres__stopped_while_starting__leaves_nothing_behind(stack: TestStack) -> None:
    stack.postgres.stop()
    stack.postgres.launch()
    stack.postgres.stop()
    assert holders(stack.postgres.data, program="postgres") == []
    stack.postgres.start()
    assert stack.postgres.psql("SELECT 1") == "1"


def test_postgres__started__has_vector_in_the_database_and_in_new_ones_and_no_tcp_port(stack: TestStack) -> None:
    query = "SELECT count(*) FROM pg_extension WHERE extname = 'vector'"
    stack.postgres.psql("CREATE DATABASE another")
    assert stack.postgres.psql(query) == "1"
    assert stack.postgres.psql(query, database="another") == "1"
    assert stack.postgres.psql("SHOW listen_addresses") == ""
    assert stack.postgres.psql("SELECT current_user") == "ikiro_owner"
    assert stack.places.runtime.stat().st_mode & 0o777 == 0o700
    assert stack.postgres.data.stat().st_mode & 0o777 == 0o700


def test_postgres__parent_killed__ends_with_it(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from ikiro.stack.testing import TestStack\n"
        "stack = TestStack(sys.argv[1]).start()\n"
        "print(stack.postgres.pid, stack.valkey.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "state")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids), timeout=10)
    TestStack(tmp_path / "state").remove()


def test_cluster__written_by_another_major__is_refused_and_stays_as_it_is(stack: TestStack) -> None:
    stack.postgres.stop()
    version = stack.postgres.data / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(PostgresMajorMismatch, match="written by PostgreSQL 16, and this release brings PostgreSQL 18"):
        stack.postgres.start()
    assert holders(stack.postgres.data, program="postgres") == []
    version.write_text("18\n")


def test_cluster__killed_while_being_made__is_made_anew(places: Places) -> None:
    unfinished = places.state / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = Postgres(data=places.postgres_data, runtime=places.runtime, log=places.logs / "pg.log", test=True)
    try:
        server.start()
        assert server.psql("SELECT 1") == "1"
        assert not unfinished.exists()
    finally:
        server.kill()


def test_cluster__place_taken_by_other_files__is_refused(places: Places) -> None:
    places.postgres_data.mkdir()
    (places.postgres_data / "notes.txt").write_text("mine")
    server = Postgres(data=places.postgres_data, runtime=places.runtime, log=places.logs / "pg.log", test=True)
    with pytest.raises(StackError, match="is not empty and is no PostgreSQL data directory"):
        server.start()
    assert (places.postgres_data / "notes.txt").read_text() == "mine"
