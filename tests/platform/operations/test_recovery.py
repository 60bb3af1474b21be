"""A worker dies; the sweep gives its operation to another, which goes on where the first one was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta

from gateway.platform.operations import services
from gateway.platform.operations.models import OperationRow
from gateway.platform.operations.types import State
from tenants.context import scope
from tests.platform.operations.support import OWNER, get, run, runs, start

NOW = timedelta(0)


def _sweep(ref, lease=NOW):
    with scope(ref):
        return services.sweep(lease=lease)


def test_sweep__worker_is_silent__another_goes_on_from_the_checkpoint(acme, dispatched):
    steps = []

    def work(op):
        for step in range(op.done, 4):
            steps.append((op.checkpoint, step))
            op.advance(step + 1, total=4, checkpoint={"after": step})
            if step == 1 and len(steps) == 2:
                raise SystemExit  # as the kill of a worker: nothing of ours runs

    with runs(work):
        operation = start(acme)
        try:
            run(acme, operation.id)
        except SystemExit:
            assert get(acme, operation.id).state is State.RUNNING
        run(acme, operation.id)  # delivered again while the lease holds: left alone
        assert len(steps) == 2
        assert (_sweep(acme, services.LEASE), _sweep(acme)) == (0, 1)
        assert get(acme, operation.id).state is State.QUEUED
        assert dispatched == [(acme, operation.id), (acme, operation.id)]
        done = run(acme, operation.id)
    assert steps == [(None, 0), ({"after": 0}, 1), ({"after": 1}, 2), ({"after": 2}, 3)]
    assert (done.state, done.done, done.total, done.attempts) == (State.SUCCEEDED, 4, 4, 2)


def test_advance__another_worker_took_over__stops_the_first_and_its_end_counts_nothing(acme):
    order = []

    def second(op):
        order.append("second")
        return {"by": "second"}

    def first(op):
        order.append("first")
        _sweep(acme)
        with runs(second):
            run(acme, op.id)
        order.append("late")
        op.advance(1)
        order.append("never")

    with runs(first):
        done = run(acme, start(acme).id)
    assert order == ["first", "second", "late"]
    assert (done.state, done.result, done.attempts) == (State.SUCCEEDED, {"by": "second"}, 2)


def test_sweep__was_being_cancelled_when_its_worker_died__is_cancelled(acme):
    operation = start(acme)
    with scope(acme):
        OperationRow.objects.filter(pk=operation.id).update(state="running")
        services.cancel(operation.id, actor=OWNER)
        assert services.sweep(lease=NOW) == 1
    assert get(acme, operation.id).state is State.CANCELLED


def test_sweep__workers_keep_dying__fails_in_the_end(acme):
    operation = start(acme)
    with scope(acme):
        OperationRow.objects.filter(pk=operation.id).update(state="running", attempts=5)
        assert services.sweep(lease=NOW) == 1
    done = get(acme, operation.id)
    assert (done.state, done.error["code"]) == (State.FAILED, "worker_lost")


def test_sweep__waiting_in_a_long_queue__is_sent_once_per_lease(acme, dispatched):
    start(acme)
    assert [_sweep(acme, timedelta(seconds=60)) for _ in range(3)] == [0, 0, 0]
    with scope(acme):
        OperationRow.objects.update(heartbeat_at=OperationRow.objects.get().heartbeat_at - timedelta(seconds=61))
    assert [_sweep(acme, timedelta(seconds=60)) for _ in range(3)] == [1, 0, 0]
    assert len(dispatched) == 2


def test_sweep__another_organizations__is_left_alone(acme, globex):
    start(acme)
    assert _sweep(globex) == 0


_WORKER = """
import sys, time, uuid
import django
django.setup()
from tenants.types import OrgRef
from tests.platform.operations.support import run, runs

def work(op):
    op.advance(2, total=3, checkpoint={"after": "two"})
    print("begun", flush=True)
    time.sleep(60)

with runs(work):
    run(OrgRef(uuid.UUID(sys.argv[1]), sys.argv[2]), uuid.UUID(sys.argv[3]))
"""


def test_run__worker_is_killed__is_resumed_with_what_it_had_stored(acme):
    operation = start(acme)
    arguments = [sys.executable, "-c", _WORKER, str(acme.id), acme.schema, str(operation.id)]
    worker = subprocess.Popen(arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()})
    try:
        assert worker.stdout.readline() == b"begun\n"
        worker.send_signal(signal.SIGKILL)
    finally:
        worker.kill()
        worker.stdout.close()
        worker.wait()
    assert (get(acme, operation.id).state, get(acme, operation.id).done) == (State.RUNNING, 2)
    assert _sweep(acme) == 1
    with runs(lambda op: {"from": op.done, "checkpoint": op.checkpoint, "total": op.total}):
        done = run(acme, operation.id)
    assert (done.state, done.result) == (State.SUCCEEDED, {"from": 2, "checkpoint": {"after": "two"}, "total": 3})
