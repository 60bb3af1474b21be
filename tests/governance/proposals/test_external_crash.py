"""Workers that die, wake up late or are sent twice while somebody else's server thinks: still once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

from gateway.core import clock
from gateway.governance.proposals import services
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.services import leases
from gateway.governance.proposals.types import State
from tenants.context import scope
from tests.governance.proposals.calls import SUBJECT_PK, approved, carry_out, until
from tests.governance.proposals.support import execute, notes, trail


def test_sweep__lease_of_a_living_worker__is_respected_and_a_lost_one_taken_over(acme, receiver, dispatched):
    proposal = approved(acme, receiver.url)
    with scope(acme):
        held = leases.claim(proposal.id)
        assert leases.claim(proposal.id) is None
        assert services.sweep(grace=timedelta(0)) == 0
        late = clock.now() - leases.LEASE - timedelta(seconds=1)
        ProposalRow.objects.filter(pk=proposal.id).update(heartbeat_at=late)
        assert services.sweep(grace=timedelta(0)) == 1
        assert dispatched == [(acme, proposal.id, 0)]
    assert carry_out(acme, proposal.id).attempts == 2
    with scope(acme):
        assert leases.beat(proposal.id, held.lease_id) is False
        leases.ended(held, leases.Failure("late", "the first worker woke up"))
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert trail(acme)[1].count("write.executed") == 1


def test_call__lease_lost_while_calling__gives_up_and_records_nothing(acme, receiver, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    receiver.gate.clear()
    proposal = approved(acme, receiver.url)
    worker = threading.Thread(target=carry_out, args=(acme, proposal.id))
    worker.start()
    until(lambda: receiver.deliveries)
    with scope(acme):
        ProposalRow.objects.filter(pk=proposal.id).update(lease_id=SUBJECT_PK)
    worker.join(20)
    assert not worker.is_alive()
    with scope(acme):
        row = ProposalRow.objects.get(pk=proposal.id)
    assert (row.state, row.lease_id, notes(acme)) == ("executing", SUBJECT_PK, [])


_WORKER = """
import sys, uuid
import django
django.setup()
from django.conf import settings
settings.IKIRO_EGRESS_ALLOW = "127.0.0.1"
from gateway.governance.proposals import tasks
from tenants.types import OrgRef
from tests.governance.proposals.support import registered
with registered():
    org = {"id": sys.argv[1], "schema": sys.argv[2]}
    tasks.execute.celery_task.apply((sys.argv[3],), {"org": org}, throw=True)
"""


def test_call__worker_is_killed_while_the_receiver_thinks__the_next_calls_with_the_same_key_and_records_once(
    acme, globex, receiver, dispatched, monkeypatch
):
    receiver.gate.clear()
    proposal = approved(acme, receiver.url)
    arguments = [sys.executable, "-c", _WORKER, str(acme.id), acme.schema, str(proposal.id)]
    worker = subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": os.getcwd()})
    try:
        until(lambda: receiver.deliveries)
        worker.send_signal(signal.SIGKILL)
    finally:
        worker.kill()
        worker.wait()
    receiver.gate.set()
    with scope(acme):
        row = ProposalRow.objects.get(pk=proposal.id)
        assert (row.state, row.attempts, row.result) == ("executing", 1, None)
        assert services.sweep(grace=timedelta(0)) == 0  # its lease still runs
    assert notes(acme) == []
    monkeypatch.setattr("gateway.governance.proposals.services.leases.LEASE", timedelta(0))
    monkeypatch.setattr("gateway.governance.proposals.services.upkeep.LEASE", timedelta(0))
    with scope(acme):
        assert services.sweep(grace=timedelta(0)) == 1
    assert dispatched == [(acme, proposal.id, 0)]
    done = carry_out(acme, proposal.id)
    assert (done.state, done.attempts) == (State.EXECUTED, 2)
    first, second = receiver.deliveries
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == proposal.public_id
    assert first.body == second.body
    assert notes(acme) == ["assertion"]
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.executed"]
    assert (notes(globex), trail(globex)) == ([], ([], []))
