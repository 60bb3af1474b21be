"""Start, progress, cancel, end: each state is seen and left as documented."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connections, transaction

from gateway.core.errors import Conflict
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from gateway.platform.events import selectors as events
from gateway.platform.operations import selectors, services
from gateway.platform.operations.errors import OperationFinished, UnknownOperation
from gateway.platform.operations.types import State, accepted
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants.context import scope
from tests.factories.organizations import principal
from tests.platform.operations.support import OWNER, get, run, runs, start


def _cancel(ref, operation_id, **options):
    with scope(ref):
        return services.cancel(operation_id, actor=OWNER, **options)


def _marked(ref):
    return outbox.refs(connections["batch"], Kind.OPERATION, ref.id)


def test_start__is_queued_marked_audited_and_dispatched(acme, globex, dispatched):
    operation = start(acme, total=3, payload={"what": "all"})
    assert (operation.state, operation.done, operation.total) == (State.QUEUED, 0, 3)
    assert accepted(operation) == {
        "operation": {
            "id": operation.public_id,
            "kind": "test.work",
            "state": "queued",
            "progress": {"done": 0, "total": 3},
        }
    }
    assert dispatched == [(acme, operation.id)]
    assert _marked(acme) == [operation.id]
    with scope(acme):
        (entry,) = audit.list_page(AuditFilter(), limit=9, after=None).data
    assert (entry.action, entry.actor, entry.target) == ("operation.started", OWNER, operation.public_id)
    with scope(globex), pytest.raises(UnknownOperation):
        selectors.get(operation.id)


def test_start__transaction_rolls_back__nothing_remains(acme):
    with scope(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
        services.start("test.work", actor=OWNER)
        raise ZeroDivisionError
    with scope(acme):
        assert selectors.list_page(limit=9, after=None).data == []
    assert _marked(acme) == []


def test_run__to_the_end__succeeds_with_result_and_event(acme):
    seen = []

    def work(op):
        for step in range(op.done, 3):
            seen.append((step, get(acme, op.id).state, get(acme, op.id).done))
            op.advance(step + 1)
        return {"made": 3}

    with runs(work):
        operation = start(acme, total=3)
        done = run(acme, operation.id)
        assert run(acme, operation.id) == done  # delivered again
    assert seen == [(0, "running", 0), (1, "running", 1), (2, "running", 2)]
    assert (done.state, done.done, done.result, done.error, done.attempts) == (State.SUCCEEDED, 3, {"made": 3}, None, 1)
    assert done.finished_at is not None
    assert _marked(acme) == []
    with scope(acme):
        (event,) = events.list_page(limit=9, after=None).data
    assert event.payload == {"operation_id": operation.public_id, "kind": "test.work", "state": "succeeded"}


def test_run__nobody_knows_the_kind__fails_saying_so(acme):
    done = run(acme, start(acme, kind="test.unknown").id)
    assert (done.state, done.error["code"]) == (State.FAILED, "runner_missing")


def test_run__the_runner_fails__ends_failed_with_what_may_be_told(acme):
    def refuse(op):
        raise Conflict("Not now.", code="not_now")

    def crash(op):
        raise ZeroDivisionError("secret")

    with runs(refuse):
        told = run(acme, start(acme).id)
    with runs(crash):
        untold = run(acme, start(acme).id)
    assert (told.state, told.error) == (State.FAILED, {"code": "not_now", "detail": "Not now."})
    assert (untold.state, untold.error["code"]) == (State.FAILED, "internal_error")
    assert "secret" not in untold.error["detail"]


def test_run__the_database_fails__is_raised_and_stays_running(acme):
    def unlucky(op):
        raise OperationalError("gone")

    with runs(unlucky):
        operation = start(acme)
        with pytest.raises(OperationalError):
            run(acme, operation.id)
    assert get(acme, operation.id).state is State.RUNNING
    assert _marked(acme) == [operation.id]


def test_cancel__queued__is_cancelled_at_once_and_never_runs(acme):
    ran = []
    operation = start(acme)
    assert _cancel(acme, operation.id).state is State.CANCELLED
    with runs(ran.append):
        assert run(acme, operation.id).state is State.CANCELLED
    assert ran == []
    assert _cancel(acme, operation.id).state is State.CANCELLED
    assert _marked(acme) == []


def test_cancel__running__stops_between_two_steps(acme):
    steps = []

    def work(op):
        for step in range(5):
            steps.append(step)
            if step == 1:
                assert _cancel(acme, op.id).state is State.CANCELLING
                assert _cancel(acme, op.id).state is State.CANCELLING
            op.advance(step + 1)

    with runs(work):
        done = run(acme, start(acme, total=5).id)
    assert (done.state, done.done, done.error, steps) == (State.CANCELLED, 2, None, [0, 1])


def test_cancel__finished__conflicts_and_changes_nothing(acme):
    with runs(lambda op: {"ok": True}):
        done = run(acme, start(acme).id)
    with pytest.raises(OperationFinished) as refused:
        _cancel(acme, done.id)
    assert (refused.value.http_status, refused.value.code, refused.value.extra) == (
        409, "operation_finished", {"state": "succeeded"},
    )  # fmt: skip
    assert get(acme, done.id) == done


def test_scoped_key__anothers_operation__is_unknown_to_it(acme):
    caller = principal(acme, subject_ids=("ana",))
    own, other = start(acme, actor=caller.actor), start(acme)
    with scope(acme):
        assert [one.id for one in selectors.list_page(limit=9, after=None, principal=caller).data] == [own.id]
        assert selectors.get(own.id, principal=caller) == own
        for look in (selectors.get, lambda one, principal: services.cancel(one, actor=OWNER, principal=principal)):
            with pytest.raises(UnknownOperation):
                look(other.id, principal=caller)
        assert selectors.list_page(limit=9, after=None, principal=principal(acme)).data == [
            selectors.get(one) for one in sorted([own.id, other.id], reverse=True)
        ]
    assert get(acme, other.id).state is State.QUEUED


def test_list_page__by_state_and_kind__filters(acme):
    first, second = start(acme), start(acme, kind="test.other")
    _cancel(acme, second.id)
    with scope(acme):
        assert [one.id for one in selectors.list_page(limit=9, after=None, state=State.QUEUED).data] == [first.id]
        assert [one.id for one in selectors.list_page(limit=9, after=None, kind="test.other").data] == [second.id]
