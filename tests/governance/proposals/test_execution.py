"""Carried out exactly once: whatever the executor does, however often it is delivered, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connections

from gateway.governance.proposals import registry, services
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.types import Effect, State
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants.context import scope
from tests.governance.proposals.support import (
    OWNER,
    approve,
    draft,
    execute,
    notes,
    propose,
    registered,
    trail,
    write_note,
)

NOW = timedelta(0)


def _approved(ref, *drafts):
    proposal = propose(ref, *drafts)
    approve(ref, proposal.id)
    return proposal


def _swap(run, **options):
    registry._executors.pop("test.note")
    return registered(run, **options)


def test_execute__approved__effect_assertion_state_trail_and_marker_together(acme, globex):
    proposal = _approved(acme)
    done = execute(acme, proposal.id)
    assert (done.state, done.result, done.attempts, done.error) == (State.EXECUTED, {"note": "hello"}, 1, None)
    assert done.assertion_id == "mem_of_" + proposal.public_id
    assert done.executed_at is not None
    assert notes(acme) == ["assertion", "hello"]
    assert trail(acme)[0] == ["proposal.created", "write.approved", "write.executed"]
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.executed"]
    assert outbox.refs(connections["batch"], Kind.PROPOSAL, acme.id) == []
    assert notes(globex) == []


def test_execute__effect_is_itself_the_assertion__no_second_one_is_written(acme):
    with _swap(lambda proposal: Effect({"memory_id": "mem_1"}, assertion_id="mem_1")):
        done = execute(acme, _approved(acme).id)
    assert (done.state, done.assertion_id, notes(acme)) == (State.EXECUTED, "mem_1", [])


def test_execute__nobody_writes_assertions__fails_and_leaves_no_effect(acme):
    with _swap(write_note, writer=None):
        done = execute(acme, _approved(acme).id)
    assert (done.state, done.error["code"], notes(acme)) == (State.FAILED, "assertion_writer_missing", [])


@pytest.mark.parametrize("state", ["pending", "rejected"])
def test_execute__not_approved__does_nothing(acme, state):
    proposal = propose(acme)
    if state == "rejected":
        with scope(acme):
            services.reject(proposal.id, actor=OWNER)
    assert execute(acme, proposal.id).state == state
    assert notes(acme) == []


@pytest.mark.parametrize(
    ("mode", "code", "detail"),
    [
        ("refuse", "note_refused", "The note is not wanted."),
        ("crash", "executor_error", "The executor failed for a reason of ours; it can be retried."),
    ],
)
def test_execute__executor_raises__fails_with_its_reason_and_the_effect_is_undone(acme, mode, code, detail):
    done = execute(acme, _approved(acme, draft("x", mode=mode)).id)
    assert (done.state, done.error) == (State.FAILED, {"code": code, "detail": detail})
    assert (done.result, done.assertion_id, done.executed_at) == (None, None, None)
    assert notes(acme) == []
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.failed"]
    assert outbox.refs(connections["batch"], Kind.PROPOSAL, acme.id) == []


def test_execute__executor_breaks_the_transaction__fails_cleanly(acme):
    def divide_in_sql(proposal):
        write_note(proposal)
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with _swap(divide_in_sql):
        done = execute(acme, _approved(acme).id)
    assert (done.state, done.error["code"], notes(acme)) == (State.FAILED, "executor_error", [])


def test_execute__database_trouble__is_raised_and_the_sweep_finishes_it(acme):
    troubles = [OperationalError("deadlock detected")]

    def unlucky(proposal):
        effect = write_note(proposal)
        if troubles:
            raise troubles.pop()
        return effect

    with _swap(unlucky):
        proposal = _approved(acme)
        with pytest.raises(OperationalError):
            execute(acme, proposal.id)
        assert notes(acme) == []
        with scope(acme):
            assert ProposalRow.objects.get(pk=proposal.id).state == "executing"
            assert services.sweep(grace=NOW) == 1
            assert services.sweep(grace=NOW) == 0
    assert notes(acme) == ["assertion", "hello"]


def test_execute__delivered_by_many_at_once__happens_once(acme):
    proposal, outcomes, gate = _approved(acme), [], threading.Barrier(4)

    def deliver():
        gate.wait()
        try:
            outcomes.append(execute(acme, proposal.id).state)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert notes(acme) == ["assertion", "hello"]
    assert trail(acme)[1].count("write.executed") == 1


def test_execute__another_worker_is_at_it__leaves_at_once_saying_executing(acme):
    begun, may_end = threading.Event(), threading.Event()

    def slow(proposal):
        effect = write_note(proposal)
        begun.set()
        assert may_end.wait(20)
        return effect

    with _swap(slow):
        proposal = _approved(acme)

        def deliver():
            try:
                execute(acme, proposal.id)
            finally:
                connections.close_all()

        worker = threading.Thread(target=deliver)
        worker.start()
        assert begun.wait(10)
        started = time.monotonic()
        assert execute(acme, proposal.id).state is State.EXECUTING
        assert approve(acme, proposal.id).state is State.EXECUTING
        with scope(acme):
            services.sweep(grace=NOW)
        assert time.monotonic() - started < 1
        assert notes(acme) == []
        may_end.set()
        worker.join()
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert notes(acme) == ["assertion", "hello"]


def test_execute__workers_keep_dying_on_it__fails_in_the_end(acme):
    proposal = _approved(acme)
    with scope(acme):
        ProposalRow.objects.filter(pk=proposal.id).update(state="executing", attempts=5)
    done = execute(acme, proposal.id)
    assert (done.state, done.error["code"]) == (State.FAILED, "execution_interrupted")
    assert notes(acme) == []
    with scope(acme):
        services.retry(proposal.id, actor=OWNER)
    assert execute(acme, proposal.id).state is State.EXECUTED


def test_sweep__left_overs_and_overdue__are_finished_and_the_rest_left_alone(acme, globex):
    forgotten, undecided, waiting = _approved(acme), propose(acme), propose(acme)
    approve(acme, waiting.id, undo_seconds=60)
    late = propose(acme, draft(expires_in=timedelta(seconds=-1)))
    elsewhere = _approved(globex)
    with scope(acme):
        assert services.sweep(grace=NOW) == 2
        states = {row.id: row.state for row in ProposalRow.objects.all()}
    assert states == {forgotten.id: "executed", undecided.id: "pending", waiting.id: "approved", late.id: "expired"}
    with scope(globex):
        assert ProposalRow.objects.get(pk=elsewhere.id).state == "approved"


def test_sweep__a_request_may_still_be_at_it__waits(acme):
    _approved(acme)
    with scope(acme):
        assert services.sweep() == 0
    assert notes(acme) == []


_WORKER = """
import sys, time, uuid
import django
django.setup()
from tenants.context import scope
from tenants.types import OrgRef
from tests.governance.proposals.support import registered, write_note
from gateway.governance.proposals import services

def hang(proposal):
    effect = write_note(proposal)
    print("begun", flush=True)
    time.sleep(60)
    return effect

with registered(hang), scope(OrgRef(uuid.UUID(sys.argv[1]), sys.argv[2])):
    services.execute(uuid.UUID(sys.argv[3]))
"""


def test_execute__worker_is_killed_in_the_middle__nothing_remains_and_the_sweep_does_it_once(acme):
    proposal = _approved(acme)
    arguments = [sys.executable, "-c", _WORKER, str(acme.id), acme.schema, str(proposal.id)]
    worker = subprocess.Popen(arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()})
    try:
        assert worker.stdout.readline() == b"begun\n"
        with scope(acme):
            assert ProposalRow.objects.get(pk=proposal.id).state == "executing"
            assert services.sweep(grace=NOW) == 1  # found, but its worker lives: left alone
            assert ProposalRow.objects.get(pk=proposal.id).attempts == 1
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    finally:
        worker.kill()
        worker.stdout.close()
        worker.wait()
    assert notes(acme) == []
    deadline = time.monotonic() + 5
    with scope(acme):
        while ProposalRow.objects.get(pk=proposal.id).state != "executed" and time.monotonic() < deadline:
            services.sweep(grace=NOW)  # the server needs a moment to see that the worker is gone
            time.sleep(0.02)
        row = ProposalRow.objects.get(pk=proposal.id)
    assert (row.state, row.attempts) == ("executed", 2)
    assert notes(acme) == ["assertion", "hello"]
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.executed"]
