"""From drafts to pending proposals, and what never becomes one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.core import clock, ids
from gateway.core.errors import Forbidden
from gateway.core.journal import Actor
from gateway.governance.proposals import registry, selectors, services
from gateway.governance.proposals.errors import UnknownProposal
from gateway.governance.proposals.reach import Reach
from gateway.governance.proposals.types import Draft, ProposalFilter, State
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from gateway.platform.events import selectors as events
from tenants.context import scope
from tests.factories.organizations import principal
from tests.governance.proposals.support import CHAT, draft, notes, propose, trail


def _page(ref, caller=None, **wanted):
    with scope(ref):
        return [
            one.id for one in selectors.list_page(ProposalFilter(**wanted), limit=50, after=None, principal=caller).data
        ]


def test_create__a_fitting_draft__is_pending_with_diff_provenance_and_trail(acme, globex):
    request_id = ids.uuid7()
    created = propose(acme, draft("hi", request_id=request_id))
    with scope(acme):
        stored = selectors.get(created.id)
        (entry,) = audit.list_page(AuditFilter(), limit=9, after=None).data
        (event,) = events.list_page(limit=9, after=None).data
    assert stored == created
    assert (stored.state, stored.payload, stored.diff) == (
        State.PENDING,
        {"text": "hi"},
        {"before": None, "after": {"text": "hi"}},
    )
    assert (stored.subject_id, stored.persona_id, stored.request_id) == ("ana", "sage", request_id)
    assert timedelta(days=6, hours=23) < stored.expires_at - clock.now() < timedelta(days=7, minutes=1)
    assert stored.wire() == {
        "proposal_id": stored.public_id,
        "type": "test.note",
        "payload": {"text": "hi"},
        "provenance": {"from": "chat:chat_1", "confidence": 0.9},
    }
    assert (entry.action, entry.actor, entry.target) == ("proposal.created", CHAT, stored.public_id)
    assert (entry.request_id, entry.provenance) == (request_id, {"from": "chat", "confidence": 0.9})
    assert "hi" not in str(entry.detail)
    assert (event.name, event.subject_id, event.persona_id) == ("proposal.created", "ana", "sage")
    told = {key: value for key, value in stored.wire().items() if key != "proposal_id"}
    assert event.payload["proposal"] == {**told, "memory_scope": "chat"}
    assert (_page(globex), trail(globex)) == ([], ([], []))


def test_create__executor_previews__its_diff_is_kept(acme, monkeypatch):
    def preview(given: Draft, reach: Reach):
        return {"before": "old", "after": given.payload["text"]}

    found = registry.Executor("test.note", {"type": "object"}, lambda proposal: None, diff=preview)
    monkeypatch.setattr(registry, "_executors", {"test.note": found})
    assert propose(acme, draft("new")).diff == {"before": "old", "after": "new"}


def test_create__misfits_among_good_ones__are_handed_back_with_reasons_and_leave_no_trace(acme):
    given = [
        draft("x" * 41),
        draft("good"),
        draft(payload={"txt": 1}),
        draft(type="Nonsense"),
        draft(confidence=1.5),
        draft(confidence=float("nan")),
        draft(type="free.form", payload={"text": "x" * 70_000}),
    ]
    with scope(acme):
        created, rejected = services.create(given, actor=CHAT)
    assert [proposal.payload for proposal in created] == [{"text": "good"}]
    assert [(one.index, [(p.pointer, p.code) for p in one.problems]) for one in rejected] == [
        (0, [("#/payload/text", "maxLength")]),
        (2, [("#/payload", "additionalProperties"), ("#/payload", "required")]),
        (3, [("#/type", "invalid_type")]),
        (4, [("#/provenance/confidence", "out_of_range")]),
        (5, [("#/provenance/confidence", "out_of_range")]),
        (6, [("#/payload", "too_large")]),
    ]
    assert "is too long" in rejected[0].reason
    assert rejected[0].wire()["errors"][0]["pointer"] == "#/payload/text"
    assert len(_page(acme)) == 1
    assert trail(acme) == (["proposal.created"], ["proposal.created"])


def test_create__type_nobody_executes__becomes_no_proposal(acme):
    with scope(acme):
        created, rejected = services.create([draft(type="ticket.create")], actor=CHAT)
        assert (created, [one.problems[0].code for one in rejected]) == ((), ["unknown_type"])
    assert "calendar.create, email.draft" in rejected[0].reason
    assert (_page(acme), trail(acme)) == ([], ([], []))


def test_create__what_the_database_cannot_hold__is_replaced(acme):
    created = propose(acme, draft(type="free.form", payload={"title": "quiz", "nul": "a\x00b"}))
    assert (created.state, created.payload["nul"]) == (State.PENDING, "a\ufffdb")


@pytest.mark.parametrize("where", ["check", "diff"])
def test_create__we_stumble_over_a_draft__it_alone_is_handed_back_with_the_request(acme, where):
    def stumble(*given):
        if given[0].payload["text"] == "bad":
            raise OverflowError("secret inside")
        return {"before": None, "after": None}

    registry.register(registry.Executor("test.odd", {"type": "object"}, lambda proposal: None, **{where: stumble}))
    request_id = ids.uuid7()
    given = [draft("bad", type="test.odd", request_id=request_id), draft("good", type="test.odd"), draft("other")]
    with scope(acme):
        created, (rejected,) = services.create(given, actor=CHAT)
    assert [one.payload["text"] for one in created] == ["good", "other"]
    assert (rejected.index, rejected.problems[0].code) == (0, "internal_error")
    assert ids.public("req", request_id) in rejected.reason
    assert "secret" not in rejected.reason
    assert len(_page(acme)) == 2


def test_list_page__filters_and_scoped_keys__show_only_what_they_may(acme, globex):
    mine = propose(acme, draft()).id
    other = propose(acme, draft(subject_id="ben")).id
    third = propose(acme, draft(persona_id="iris", type="free.form")).id
    nobody = propose(acme, draft(subject_id=None)).id
    expired = propose(acme, draft(expires_in=timedelta(seconds=-1))).id
    assert _page(acme, subject_id="ben") == [other]
    assert _page(acme, persona_id="iris") == [third]
    assert _page(acme, type="free.form") == [third]
    assert sorted(_page(acme, state=State.PENDING)) == sorted([mine, other, third, nobody])
    assert _page(acme, state=State.EXPIRED) == [expired]
    caller = principal(acme, subject_ids=("ana",), persona_ids=("sage",))
    assert sorted(_page(acme, caller)) == sorted([mine, expired])
    with pytest.raises(Forbidden) as refused:
        _page(acme, caller, subject_id="ben")
    assert refused.value.code == "subject_not_allowed"
    with scope(acme):
        for hidden, code in (
            (other, "subject_not_allowed"),
            (third, "persona_not_allowed"),
            (nobody, "subject_not_allowed"),
        ):
            with pytest.raises(Forbidden) as refused:
                selectors.get(hidden, principal=caller)
            assert refused.value.code == code
    with scope(globex), pytest.raises(UnknownProposal):
        selectors.get(mine)
    assert notes(acme) == []


def test_registry__second_executor_or_bad_schema__is_refused():
    with pytest.raises(RuntimeError, match="Two executors"):
        registry.register(registry.Executor("test.note", {"type": "object"}, lambda proposal: None))
    with pytest.raises(Exception, match="is not valid"):
        registry.register(registry.Executor("bad.schema", {"type": "nonsense"}, lambda proposal: None))
    assert registry.find("bad.schema") is None


def test_create__caller_of_another_kind__is_the_trails_actor(acme):
    with scope(acme):
        services.create([draft()], actor=Actor("system", "rules"))
        (entry,) = audit.list_page(AuditFilter(actor="system:rules"), limit=9, after=None).data
    assert entry.action == "proposal.created"
