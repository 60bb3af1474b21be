"""Erasing a subject in the services: everything of it and nothing else, through a kill, and what comes late as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from gateway.core import clock, ids, subjectdata
from gateway.core.idempotency import Answer
from gateway.core.journal import Actor
from gateway.core.subjectdata import Target
from gateway.engine.conversations import selectors as conversations
from gateway.engine.conversations import services as conversation_services
from gateway.engine.erasure import parts, running, services, sweeping
from gateway.governance.proposals.models import ProposalRow
from gateway.knowledge.memory.services import create
from gateway.knowledge.memory.types import NewMemory, Provenance
from gateway.knowledge.subjects import selectors as subjects
from gateway.knowledge.subjects import services as subject_services
from gateway.knowledge.subjects.errors import SubjectErasing, SubjectNotFound
from gateway.knowledge.subjects.models import ErasureRow, SubjectRow
from gateway.knowledge.subjects.types import SubjectFilter
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from gateway.platform.idempotency.services import claims
from gateway.platform.operations import execution
from gateway.platform.operations import selectors as operations
from gateway.platform.operations import services as operation_services
from gateway.platform.operations.types import Operation, State
from gateway.platform.receipts import selectors as receipts
from gateway.platform.requests.models import RequestRow
from gateway.surfaces.v1 import subjects as subject_routes
from tenants.context import scope
from tenants.types import OrgRef

ALICE = Actor("key", "key_alice")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way in these tests."""
    monkeypatch.setattr(running, "_SETTLING_S", 0)


def _filled(subject_id: str) -> dict[str, UUID]:
    """A subject with something of every kind, in the organization in scope."""
    subject = subject_services.ensure(subject_id, actor=ALICE)
    tea = NewMemory(text=f"{subject_id} drinks tea", type="fact", provenance=Provenance("chat", ref="m"))
    create(subject, tea, actor=ALICE, limit_per_subject=None)
    conversation = conversation_services.begin(subject_pk=subject.pk, persona_id="brand-default", persona_version=1)
    request_id = ids.uuid7()
    conversation_services.append_turn(
        conversation.id, request_id=request_id, question="Tea?", answer="Green.", persona_version=1, model="m"
    )
    decisions = [{"stage": "grant", "verdict": "ok", "subject_id": subject_id, "persona_id": "brand-default"}]
    RequestRow.objects.create(
        id=request_id, occurred_at=clock.now(), surface="v1", status=200, state="settled", subject_id=subject_id,
        record={"decisions": decisions},
    )  # fmt: skip
    ProposalRow.objects.create(
        type="memory.upsert", payload={"text": "secret"}, diff={}, subject_id=subject_id, subject_pk=subject.pk,
        provenance={}, confidence=1.0, state="pending", expires_at=clock.now(),
    )  # fmt: skip
    return {"pk": subject.pk, "conversation": conversation.id, "request": request_id}


def _run(operation: Operation) -> Operation:
    execution.run(operation.id)
    return operations.get(operation.id)


def test_run__subject_with_something_of_each_kind__leaves_the_other_and_the_other_organization(
    acme: OrgRef, globex: OrgRef
) -> None:
    with scope(globex):
        theirs = _filled("usr_1")
    with scope(acme):
        mine, other = _filled("usr_1"), _filled("usr_2")
        done = _run(services.start("usr_1", actor=ALICE))
        assert (done.state, done.error) == (State.SUCCEEDED, None)
        erased = done.result["erased"]
        of_each = ("memories", "conversations", "turns", "proposals", "request_records")
        assert {name: erased[name] for name in of_each} == dict.fromkeys(of_each, 1)
        receipt = receipts.get(ids.parse("rcp", done.result["receipt_id"]))
        assert receipt.document["facts"]["counts_are_minimums"] is False
        assert list(parts.lines(Target(mine["pk"], "usr_1"))) == []
        kept = RequestRow.objects.get(pk=mine["request"])
        assert (kept.subject_id, kept.status) == (None, 200)
        assert kept.record["decisions"][0]["subject_id"] is None
        assert list(EventRow.objects.filter(subject_id="usr_1").values_list("name", flat=True)) == ["subject.erased"]
        assert {line["type"] for line in parts.lines(Target(other["pk"], "usr_2"))} >= {"memory", "turn", "proposal"}
        assert AuditRow.objects.filter(action="subject.erased", subject_id="usr_1", actor_id="key_alice").count() == 1
    with scope(globex):
        assert {line["type"] for line in parts.lines(Target(theirs["pk"], "usr_1"))} >= {"memory", "turn", "proposal"}
        assert RequestRow.objects.get(pk=theirs["request"]).subject_id == "usr_1"


def test_run__killed_in_the_middle__goes_on_and_the_receipt_says_that_counts_are_minimums(
    acme: OrgRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def dies_first(work: Callable[[Target], Any]) -> Callable[[Target], Any]:
        def erase(target: Target) -> Any:
            calls.append("proposals")
            if len(calls) == 1:
                raise SystemExit  # as the kill of a worker: nothing of ours runs
            return work(target)

        return erase

    part = subjectdata._parts["proposals"]
    assert part.erase is not None
    dying = subjectdata.Part(part.name, dies_first(part.erase), part.export)
    monkeypatch.setitem(subjectdata._parts, "proposals", dying)
    with scope(acme):
        _filled("usr_1")
        operation = services.start("usr_1", actor=ALICE)
        with pytest.raises(SystemExit):
            execution.run(operation.id)
        assert SubjectRow.objects.get(subject_id="usr_1").erasing_at is not None
        assert ProposalRow.objects.filter(subject_id="usr_1").count() == 1
        operation_services.sweep(lease=clock.now() - clock.now())
        done = _run(operation)
        assert (done.state, done.attempts) == (State.SUCCEEDED, 2)
        facts = receipts.get(ids.parse("rcp", done.result["receipt_id"])).document["facts"]
        assert facts["counts_are_minimums"] is True
        assert (facts["erased"]["memories"], facts["erased"]["proposals"]) == (1, 1)
        assert not SubjectRow.objects.filter(subject_id="usr_1").exists()


def test_run__killed_between_the_receipt_and_its_own_end__gives_the_same_receipt(acme: OrgRef) -> None:
    class Lost:
        """An operation whose worker dies after the receipt was committed."""

        id, payload, checkpoint, done, total = ids.uuid7(), {}, None, 0, None

        def advance(self, done: int, *, total: int | None = None, checkpoint: Any = None) -> None:
            """Kept nowhere."""

    with scope(acme):
        subject_pk = _filled("usr_1")["pk"]
        services.start("usr_1", actor=ALICE)
        lost: Any = Lost()
        lost.payload = {"subject_pk": str(subject_pk), "actor": ["key", "key_alice"]}
        assert running.run(lost)["receipt_id"] == running.run(lost)["receipt_id"]


def test_start__while_under_way__is_the_same_operation_and_writers_are_refused(acme: OrgRef, globex: OrgRef) -> None:
    with scope(globex):
        subject_services.ensure("usr_1")
    with scope(acme):
        subject_services.ensure("usr_1")
        first = services.start("usr_1", actor=ALICE)
        assert services.start("usr_1", actor=ALICE).id == first.id
        assert subjects.find("usr_1") is None
        for write in (
            lambda: subject_services.ensure("usr_1"),
            lambda: subject_services.put("usr_1", display_name="A", attributes={}, team_ids=(), actor=ALICE),
        ):
            with pytest.raises(SubjectErasing):
                write()
        operation_services.cancel(first.id, actor=ALICE)
        again = services.start("usr_1", actor=ALICE)
        assert again.id != first.id
        assert _run(again).state is State.SUCCEEDED
        with pytest.raises(SubjectNotFound):
            services.start("usr_1", actor=ALICE)
        assert subject_services.ensure("usr_1").id == "usr_1"  # the id may be used anew
    with scope(globex):
        assert subjects.find("usr_1") is not None


def test_start__until_it_is_done__tells_that_it_is_being_erased_and_nothing_else(acme: OrgRef, globex: OrgRef) -> None:
    for ref in (acme, globex):
        with scope(ref):
            said = {"display_name": "Ann Secret", "attributes": {"plan": "gold"}, "team_ids": ()}
            subject_services.put("usr_1", **said, actor=ALICE)
    with scope(acme):
        services.start("usr_1", actor=ALICE)
        shown = subjects.look("usr_1")
        assert (shown.id, shown.display_name, shown.attributes, shown.updated_at) == ("usr_1", None, {}, None)
        assert shown.erasing_at is not None
        listed = [SubjectFilter(state=state) for state in ("active", "erasing")]
        assert [[one.display_name for one in subjects.page(wanted).data] for wanted in listed] == [[], [None]]
        assert subjects.page(SubjectFilter(prefix="Ann")).data == []
        with pytest.raises(SubjectErasing):
            subjects.get("usr_1")  # what the export, its boundaries and consents begin with
        assert subject_routes._counted("usr_1")[1].model_dump() == {"memories": 0, "conversations": 0, "proposals": 0}
    with scope(globex):
        assert subjects.get("usr_1").display_name == "Ann Secret"


def test_sweep__call_that_began_before__what_it_wrote_late_goes_and_the_new_subject_stays(acme: OrgRef) -> None:
    with scope(acme):
        old = _filled("usr_1")
        late_request = ids.uuid7()
        _run(services.start("usr_1", actor=ALICE))
        late = conversation_services.begin(subject_pk=old["pk"], persona_id="brand-default", persona_version=1)
        RequestRow.objects.create(
            id=late_request, occurred_at=clock.now(), surface="v1", status=200, state="settled", subject_id="usr_1"
        )
        new = _filled("usr_1")
        assert sweeping.sweep() >= 2
        assert conversations.count(old["pk"]) == 0
        assert RequestRow.objects.get(pk=late_request).subject_id is None
        assert RequestRow.objects.get(pk=new["request"]).subject_id == "usr_1"
        assert conversations.count(new["pk"]) == 1
        assert not conversations.search(conversations.ConversationFilter(subject_pk=late.subject_pk), limit=5).data
        ErasureRow.objects.update(erased_at=ids.created_at(ids.uuid7_at(1_700_000_000_000, 1)))
        sweeping.sweep()
        assert ErasureRow.objects.count() == 0


def test_withdraw__answers_about_the_subject__go_and_the_rest_is_replayed(acme: OrgRef) -> None:
    def answered(name: str, subject_id: str) -> tuple[str, UUID]:
        request_id, claim = ids.uuid7(), name * 64
        claims.claim(claim, "f" * 64, request_id, str(acme.id))
        body = json.dumps({"subject_id": subject_id, "text": "tea"}).encode()
        claims.complete(claim, request_id, Answer(201, (), body), str(acme.id))
        return claim, request_id

    with scope(acme):
        mine, other = answered("a", "Zoë 1"), answered("b", "Zoë 11")
        subject_services.ensure("Zoë 1")
        done = _run(services.start("Zoë 1", actor=ALICE))
        assert done.result["erased"]["stored_answers"] == 1
        assert claims.claim(mine[0], "f" * 64, ids.uuid7(), str(acme.id)).standing == "too_large"
        assert claims.claim(other[0], "f" * 64, ids.uuid7(), str(acme.id)).standing == "done"
