"""The proposals API: what the wire contract promises, and what a scoped key may do."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from ninja import NinjaAPI
from ninja.testing import TestAsyncClient

from gateway.core import ids
from gateway.core.endpoint import Call, Scope, declared
from gateway.core.errors import Forbidden, NotFound
from gateway.governance.proposals import api, registry, selectors
from gateway.governance.proposals.types import State
from tenants.context import scope
from tests.factories.organizations import principal
from tests.governance.proposals.support import approve, draft, execute, notes, propose, registered, write_note

_API = NinjaAPI(urls_namespace="test-proposals")
_API.add_router("", api.router)


def _call(ref, method, path, caller=None, **options):
    client = TestAsyncClient(_API)
    call = Call(request_id=ids.uuid7(), surface="v1", principal=caller or principal(ref))
    answer = asyncio.run(getattr(client, method)(path, call=call, **options))
    return answer, call


def test_approve__quick_type__is_already_executed_in_the_answer(acme, dispatched):
    proposal = propose(acme)
    answer, call = _call(acme, "post", f"/proposals/{proposal.public_id}/approve", json={"comment": "go"})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["id"], body["proposal_id"]) == (proposal.public_id, proposal.public_id)
    assert (body["state"], body["result"], body["comment"]) == ("executed", {"note": "hello"}, "go")
    assert body["decided_by"] == str(call.principal.actor)
    assert (notes(acme), dispatched) == (["assertion", "hello"], [])


def test_approve__without_a_body__is_the_same(acme):
    proposal = propose(acme)
    answer, _ = _call(acme, "post", f"/proposals/{proposal.public_id}/approve")
    assert (answer.status_code, answer.json()["state"]) == (200, "executed")


def test_approve__nobody_executes_the_type__is_failed_in_the_answer_and_retry_tries_again(acme):
    registry.register(registry.Executor("ticket.create", {"type": "object"}, write_note))
    proposal = propose(acme, draft(type="ticket.create", payload={"title": "quiz"}))
    registry._executors.pop("ticket.create")  # as after a release that knows the type no more
    body = _call(acme, "post", f"/proposals/{proposal.public_id}/approve")[0].json()
    assert (body["state"], body["error"]["code"]) == ("failed", "executor_not_configured")
    executor = registry.Executor("ticket.create", {"type": "object"}, lambda given: write_note(_as_note(given)))
    registry.register(executor)
    body = _call(acme, "post", f"/proposals/{proposal.public_id}/retry")[0].json()
    assert (body["state"], body["error"]) == ("executed", None)
    assert notes(acme) == ["assertion", "quiz"]


def _as_note(proposal):
    from dataclasses import replace

    return replace(proposal, payload={"text": proposal.payload["title"]})


def test_approve__with_undo__waits_and_reject_takes_it_back(acme, dispatched):
    proposal = propose(acme)
    body = _call(acme, "post", f"/proposals/{proposal.public_id}/approve", json={"undo_seconds": 10})[0].json()
    assert (body["state"], len(dispatched)) == ("approved", 1)
    body = _call(acme, "post", f"/proposals/{proposal.public_id}/reject", json={"comment": "wait"})[0].json()
    assert (body["state"], body["comment"], notes(acme)) == ("rejected", "wait", [])


def test_approve__takes_longer_than_promised__says_executing_and_goes_on(acme, monkeypatch):
    monkeypatch.setattr(api, "INLINE_S", 0.3)
    may_end = threading.Event()

    def slow(proposal):
        effect = write_note(proposal)
        assert may_end.wait(20)
        return effect

    registry._executors.pop("test.note")
    with registered(slow):
        proposal = propose(acme)
        client = TestAsyncClient(_API)

        async def both():
            call = Call(request_id=ids.uuid7(), surface="v1", principal=principal(acme))
            started = time.monotonic()
            answer = await client.post(f"/proposals/{proposal.public_id}/approve", call=call)
            took = time.monotonic() - started
            again = await client.post(f"/proposals/{proposal.public_id}/approve", call=call)
            may_end.set()
            while (await client.get(f"/proposals/{proposal.public_id}", call=call)).json()["state"] == "executing":
                await asyncio.sleep(0.02)
            return answer.json()["state"], again.json()["state"], took

        first, second, took = asyncio.run(both())
    assert (first, second) == ("executing", "executing")
    assert took < 2
    with scope(acme):
        assert selectors.get(proposal.id).state is State.EXECUTED
    assert notes(acme) == ["assertion", "hello"]


def test_approve__the_first_answer_was_lost__the_same_call_finishes_it(acme):
    proposal = propose(acme)
    approve(acme, proposal.id)  # decided, then the process died
    body = _call(acme, "post", f"/proposals/{proposal.public_id}/approve")[0].json()
    assert (body["state"], notes(acme)) == ("executed", ["assertion", "hello"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"undo_seconds": -1}, "undo_seconds"),
        ({"undo_seconds": 3601}, "undo_seconds"),
        ({"undo_seconds": "soon"}, "undo_seconds"),
        ({"comment": "x" * 2001}, "comment"),
        ({"commment": "typo"}, "commment"),
    ],
)
def test_approve__bad_body__is_refused_naming_the_field_and_nothing_happens(acme, body, field):
    proposal = propose(acme)
    answer, _ = _call(acme, "post", f"/proposals/{proposal.public_id}/approve", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == field
    with scope(acme):
        assert selectors.get(proposal.id) == proposal


def test_scoped_key__another_subjects_proposal__is_forbidden_everywhere(acme):
    proposal = propose(acme)
    caller = principal(acme, subject_ids=("ben",))
    for method, suffix in (("get", ""), ("post", "/approve"), ("post", "/reject"), ("post", "/retry")):
        with pytest.raises(Forbidden) as refused:
            _call(acme, method, f"/proposals/{proposal.public_id}{suffix}", caller)
        assert refused.value.code == "subject_not_allowed"
    assert _call(acme, "get", "/proposals", caller)[0].json() == {"data": [], "next_cursor": None}
    with scope(acme):
        assert selectors.get(proposal.id) == proposal


def test_another_organization__the_id_names_nothing(acme, globex):
    proposal = propose(acme)
    for method, suffix in (("get", ""), ("post", "/approve"), ("post", "/reject"), ("post", "/retry")):
        with pytest.raises(NotFound):
            _call(globex, method, f"/proposals/{proposal.public_id}{suffix}")
    assert _call(globex, "get", "/proposals")[0].json()["data"] == []
    assert execute(acme, proposal.id).state is State.PENDING


def test_list__filters_pages_and_is_noted(acme):
    made = [propose(acme, draft(subject_id=who)).public_id for who in ("ana", "ben", "ana")]
    answer, call = _call(acme, "get", "/proposals?state=pending&type=test.note&subject_id=ana&limit=1")
    first = answer.json()
    second = _call(acme, "get", f"/proposals?subject_id=ana&limit=1&cursor={first['next_cursor']}")[0].json()
    assert [row["id"] for row in first["data"] + second["data"]] == [made[2], made[0]]
    assert second["next_cursor"] is None
    assert call.reads == [{"action": "proposal.read", "target": "proposals", "subject_id": "ana", "persona_id": None}]


def test_list__unknown_state__is_refused(acme):
    assert _call(acme, "get", "/proposals?state=dreaming")[0].status_code == 422


def test_endpoints__are_declared_with_scope_and_flag():
    reading, deciding = (
        (api.list_proposals, api.get_proposal),
        (api.approve_proposal, api.reject_proposal, api.retry_proposal),
    )
    for views, wanted in ((reading, Scope.PROPOSALS_READ), (deciding, Scope.PROPOSALS_DECIDE)):
        for view in views:
            assert (declared(view).scope, declared(view).flag) == (wanted, "enable_proposals")
