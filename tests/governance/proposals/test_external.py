"""Carried out on somebody else's server: once, with one key, with nothing of ours held meanwhile, whoever dies."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import connections, transaction

from gateway.core import clock
from gateway.governance.proposals import carrying, services
from gateway.governance.proposals.models import ProposalRow
from gateway.governance.proposals.types import Compensation, State
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind as Marker
from tenants.context import scope
from tests.governance.proposals.calls import SECRET, SUBJECT_PK, approved, call_draft, carry_out, target, until
from tests.governance.proposals.outside import signature_of
from tests.governance.proposals.support import OWNER, approve, draft, execute, notes, propose, trail


def test_call__approved__is_signed_delivered_and_recorded_with_its_assertion(acme, globex, receiver):
    proposal = approved(acme, receiver.url)
    done = carry_out(acme, proposal.id)
    assert (done.state, done.error, done.attempts) == (State.EXECUTED, None, 1)
    assert done.result == {"target": "crm", "webhook_id": proposal.public_id, "status": 200}
    assert done.assertion_id == "mem_of_" + proposal.public_id
    (delivery,) = receiver.deliveries
    assert delivery.headers["webhook-id"] == delivery.headers["idempotency-key"] == proposal.public_id
    assert delivery.headers["webhook-signature"] == signature_of(SECRET, delivery)
    assert abs(int(delivery.headers["webhook-timestamp"]) - clock.now().timestamp()) < 60
    assert delivery.json["type"] == "ticket.opened"
    assert delivery.json["data"] == {"title": "Müde ☕"}
    assert (delivery.json["proposal_id"], delivery.json["subject_id"]) == (proposal.public_id, "ana")
    assert trail(acme)[1] == ["proposal.created", "write.approved", "write.executed"]
    assert outbox.refs(connections["batch"], Marker.PROPOSAL, acme.id) == []
    assert (notes(acme), notes(globex), trail(globex)) == (["assertion"], [], ([], []))


def test_call__while_the_receiver_thinks__no_row_is_locked_and_no_connection_waits(acme, receiver):
    receiver.gate.clear()
    proposal = approved(acme, receiver.url)
    worker = threading.Thread(target=carry_out, args=(acme, proposal.id))
    worker.start()
    until(lambda: receiver.deliveries)
    with scope(acme), transaction.atomic():
        assert ProposalRow.objects.select_for_update(nowait=True).get(pk=proposal.id).state == "executing"
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
            " AND datname = current_database()"
        )
        assert cursor.fetchone() == (0,)
    assert execute(acme, proposal.id).state is State.EXECUTING  # neither waits nor calls again
    receiver.gate.set()
    worker.join(60)
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert len(receiver.deliveries) == 1


def test_call__delivered_by_many_at_once__is_made_once(acme, receiver):
    proposal, gate = approved(acme, receiver.url), threading.Barrier(4)

    def deliver():
        gate.wait()
        try:
            carry_out(acme, proposal.id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert execute(acme, proposal.id).state is State.EXECUTED
    assert len(receiver.deliveries) == 1
    assert trail(acme)[1].count("write.executed") == 1


def test_call__message_delivered_again_after_the_end__calls_nobody(acme, receiver):
    proposal = approved(acme, receiver.url)
    first = carry_out(acme, proposal.id)
    assert carry_out(acme, proposal.id) == first
    assert (len(receiver.deliveries), notes(acme)) == (1, ["assertion"])


@pytest.mark.parametrize(("status", "state", "calls"), [(400, State.FAILED, 1), (404, State.FAILED, 1)])
def test_call__refused_for_good__fails_and_a_retry_uses_the_same_key(acme, receiver, status, state, calls):
    receiver.answers[:] = [status]
    proposal = approved(acme, receiver.url)
    failed = carry_out(acme, proposal.id)
    assert (failed.state, failed.error["code"], failed.assertion_id) == (state, "webhook_refused", None)
    assert (len(receiver.deliveries), notes(acme)) == (calls, [])
    with scope(acme):
        services.retry(proposal.id, actor=OWNER)
    assert carry_out(acme, proposal.id).state is State.EXECUTED
    assert [one.headers["webhook-id"] for one in receiver.deliveries] == [proposal.public_id] * 2
    assert receiver.deliveries[0].body == receiver.deliveries[1].body


def test_call__receiver_is_troubled__is_made_again_by_itself_and_fails_in_the_end(acme, receiver, dispatched):
    receiver.answers[:] = [503, 429, 500, 502, 503, 503]
    proposal = approved(acme, receiver.url)
    for attempt in range(1, 5):
        found = carry_out(acme, proposal.id)
        assert (found.state, found.attempts, found.error["code"]) == (State.EXECUTING, attempt, "webhook_refused")
        assert dispatched[-1][:2] == (acme, proposal.id)
        assert dispatched[-1][2] == (2, 10, 30, 60)[attempt - 1]
        assert carry_out(acme, proposal.id).attempts == attempt  # not before the pause is over
        with scope(acme):
            ProposalRow.objects.filter(pk=proposal.id).update(execute_after=clock.now())
    failed = carry_out(acme, proposal.id)
    assert (failed.state, failed.attempts, len(receiver.deliveries)) == (State.FAILED, 5, 5)
    assert notes(acme) == []


def test_call__nobody_listens__is_passing_trouble(acme, settings):
    settings.IKIRO_EGRESS_ALLOW = "127.0.0.1"
    proposal = approved(acme, "http://127.0.0.1:9/hook")
    found = carry_out(acme, proposal.id)
    assert (found.state, found.error["code"]) == (State.EXECUTING, "upstream_unreachable")
    assert notes(acme) == []


def test_call__address_became_forbidden__fails_without_a_call(acme, receiver, settings):
    proposal = approved(acme, receiver.url)
    settings.IKIRO_EGRESS_ALLOW = ""
    failed = carry_out(acme, proposal.id)
    assert (failed.state, failed.error["code"], receiver.deliveries) == (State.FAILED, "egress_refused", [])


@pytest.mark.parametrize("missing", ["target", "name", "subject"])
def test_call__something_is_missing__fails_before_anything_is_called(acme, receiver, missing):
    if missing != "target":
        target(acme, receiver.url)
    payload = {"target": "erp", "data": {}} if missing == "name" else {"data": {}}
    given = draft(type="webhook.call", payload=payload, subject_pk=None if missing == "subject" else SUBJECT_PK)
    proposal = propose(acme, given)
    approve(acme, proposal.id)
    failed = carry_out(acme, proposal.id)
    wanted = "subject_missing" if missing == "subject" else "write_target_missing"
    assert (failed.state, failed.error["code"]) == (State.FAILED, wanted)
    assert (receiver.deliveries, notes(acme)) == ([], [])


def test_call__two_targets_and_none_named__is_not_guessed(acme, receiver):
    target(acme, receiver.url, "crm")
    target(acme, receiver.url, "erp")
    proposal = propose(acme, call_draft())
    approve(acme, proposal.id)
    assert carry_out(acme, proposal.id).error["code"] == "write_target_ambiguous"
    assert receiver.deliveries == []


def test_execute__in_a_thread_of_the_database__only_tells_a_worker(acme, receiver, dispatched):
    proposal = approved(acme, receiver.url)
    assert execute(acme, proposal.id).state is State.APPROVED
    assert (dispatched, receiver.deliveries) == ([(acme, proposal.id, 0)], [])


def test_call__made_elsewhere_but_not_rememberable__is_executed_and_says_so(acme, receiver, monkeypatch):
    from gateway.core.errors import BadRequest
    from gateway.governance.proposals import registry

    def refuse(proposal):
        raise BadRequest("no room", code="plan_limit")

    monkeypatch.setattr(registry, "_assertion_writer", refuse)
    done = carry_out(acme, approved(acme, receiver.url).id)
    assert (done.state, done.error["code"], done.assertion_id) == (State.EXECUTED, "plan_limit", None)
    assert len(receiver.deliveries) == 1


def test_compensate__a_webhook__is_refused_and_changes_nothing(acme, receiver):
    proposal = approved(acme, receiver.url)
    done = carry_out(acme, proposal.id)
    with scope(acme), pytest.raises(services.compensation.NotReversible):
        services.compensate(proposal.id, actor=OWNER)
    assert execute(acme, proposal.id) == done
    assert isinstance(done.compensation, Compensation | None)
    assert len(receiver.deliveries) == 1


def test_carry_out__on_the_callers_loop__is_the_same(acme, receiver):
    proposal = approved(acme, receiver.url)
    done = asyncio.run(carrying.carry_out(acme, proposal.id))
    assert (done.state, len(receiver.deliveries)) == (State.EXECUTED, 1)
