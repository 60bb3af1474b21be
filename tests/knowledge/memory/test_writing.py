"""Writing memories: what is stored, what merges, what is refused, and the trail it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.core.errors import BadRequest
from gateway.knowledge.memory import selectors, services
from gateway.knowledge.memory.errors import InvalidMemory, MemoryLimitReached, MemoryNotFound
from gateway.knowledge.memory.models import MemoryRow, MemorySource, MemoryToken, SubjectState
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, new, person, remember, texts


def trail():
    """The audit entries of memories; an organization begins with some of its own."""
    return AuditRow.objects.filter(action__startswith="memory.")


def events():
    return EventRow.objects.filter(name__startswith="memory.")


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def test_create__full_memory__is_stored_with_source_postings_and_trail(inside) -> None:
    ann = person("usr_ann")
    at = datetime(2025, 3, 1, 9, tzinfo=UTC)
    memory = remember(
        ann, "I moved to Berlin", source="gmail", ref="msg_1", snippet="moved to Berlin", type="event",
        slot="home.city", value={"city": "Berlin"}, speaker="Ann", thread_id="t1", occurred_at=at, confidence=0.8,
    )  # fmt: skip
    assert memory.public_id.startswith("mem_")
    assert (memory.subject_pk, memory.subject_id) == (ann.pk, "usr_ann")
    assert (memory.text, memory.type, memory.slot, memory.value) == (
        "I moved to Berlin", "event", "home.city", {"city": "Berlin"},
    )  # fmt: skip
    assert (memory.occurred_at, memory.valid_from, memory.valid_to) == (at, at, None)
    assert (memory.memory_scope, memory.scope, memory.status, memory.trust) == ("gmail", "private", "active", 2)
    assert (memory.provenance.uri, memory.provenance.snippet) == ("gmail://msg_1", "moved to Berlin")
    assert memory.deduplicated is False
    assert dict(MemoryToken.objects.filter(memory_id=memory.id).values_list("lexeme", "tf")) == {
        "ann": 1, "move": 1, "berlin": 1,
    }  # fmt: skip
    row = MemoryRow.objects.get(pk=memory.id)
    assert (row.n_tok, row.sitting, row.source_kinds) == (3, 1, ["gmail"])
    state = SubjectState.objects.get(pk=ann.pk)
    assert (state.version, state.count, state.next_sitting) == (1, 1, 2)
    assert [(e.action, e.target, e.subject_id) for e in trail().all()] == [
        ("memory.created", memory.public_id, "usr_ann")
    ]
    assert [(e.name, e.payload["memory_id"]) for e in events().all()] == [("memory.created", memory.public_id)]


def test_create__same_words_again__adds_a_source_and_raises_confidence(inside) -> None:
    ann = person()
    first = remember(ann, "Likes green  Tea", source="gmail", ref="1", confidence=0.5)
    second = remember(ann, "likes green tea", source="gmail", ref="2", confidence=0.5)
    assert (second.id, second.deduplicated, second.confidence) == (first.id, True, 0.75)
    assert second.provenance.ref == "1"
    assert sorted(MemorySource.objects.values_list("ref", "position")) == [("1", 0), ("2", 1)]
    assert SubjectState.objects.get(pk=ann.pk).count == 1
    assert list(trail().order_by("id").values_list("action", flat=True)) == [
        "memory.created", "memory.corroborated",
    ]  # fmt: skip
    assert events().count() == 1


def test_create__same_words_from_the_same_source__changes_nothing(inside) -> None:
    ann = person()
    first = remember(ann, "Likes tea", source="gmail", ref="1", confidence=0.5)
    again = remember(ann, "Likes tea", source="gmail", ref="1", confidence=0.9)
    assert (again.id, again.deduplicated, again.confidence) == (first.id, True, 0.5)
    assert SubjectState.objects.get(pk=ann.pk).version == 1
    assert trail().count() == 1


@pytest.mark.parametrize(
    "other",
    [{"source": "calendar"}, {"scope": "shared"}, {"persona_id": "sage"}, {"speaker": "Bob"}],
    ids=["other source", "other visibility", "other persona", "other speaker"],
)
def test_create__same_words_for_another_audience__is_another_memory(inside, other) -> None:
    ann = person()
    first = remember(ann, "Likes tea", source="gmail")
    second = remember(ann, "Likes tea", **{"source": "gmail", **other})
    assert second.id != first.id
    assert second.deduplicated is False


def test_create__other_subject_or_organization__shares_nothing(acme, globex) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(acme):
        first = remember(ann, "Likes tea")
        assert remember(bob, "Likes tea").id != first.id
    with scope(globex):
        assert remember(ann, "Likes tea").deduplicated is False
        assert MemoryRow.objects.count() == 1
        with pytest.raises(MemoryNotFound):
            selectors.get(first.id)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"text": ""}, "#/text", "length"),
        ({"text": "x" * 65_536}, "#/text", "length"),
        ({"text": "a\0b"}, "#/text", "characters"),
        ({"text": "a\ud800b"}, "#/text", "characters"),
        ({"type": "poem"}, "#/type", "unknown_value"),
        ({"scope": "world"}, "#/scope", "unknown_value"),
        ({"confidence": 1.5}, "#/confidence", "out_of_range"),
        ({"confidence": float("nan")}, "#/confidence", "out_of_range"),
        ({"value": float("inf")}, "#/value", "not_json"),
        ({"value": {"a": "b\0"}}, "#/value", "characters"),
        ({"value": "x" * 9_000}, "#/value", "length"),
        ({"snippet": "x" * 1_001}, "#/provenance/snippet", "length"),
        ({"source": "  "}, "#/provenance/source", "length"),
        ({"thread_id": "t" * 129}, "#/thread_id", "length"),
        ({"occurred_at": datetime(2025, 1, 1)}, "#/occurred_at", "offset_missing"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "#/expires_at", "in_the_past"),
        (
            {"valid_from": datetime(2025, 2, 1, tzinfo=UTC), "valid_to": datetime(2025, 1, 1, tzinfo=UTC)},
            "#/valid_to",
            "before_valid_from",
        ),
    ],
)  # fmt: skip
def test_create__bad_field__is_named_and_nothing_is_stored(inside, fields, pointer, code) -> None:
    with pytest.raises(InvalidMemory) as refused:
        remember(person(), **{"text": "Likes tea", **fields})
    assert [(problem.pointer, problem.code) for problem in refused.value.problems] == [(pointer, code)]
    assert MemoryRow.objects.count() == SubjectState.objects.count() == trail().count() == 0


def test_create__plan_used_up__is_402_and_nothing_changes(inside) -> None:
    ann = person()
    remember(ann, "One", limit=2)
    remember(ann, "Two", limit=2)
    with pytest.raises(MemoryLimitReached) as refused:
        remember(ann, "Three", limit=2)
    assert (refused.value.http_status, refused.value.code) == (402, "plan_limit")
    assert refused.value.extra == {"limit": "memories_per_subject", "maximum": 2}
    assert SubjectState.objects.get(pk=ann.pk).version == 2
    assert MemoryRow.objects.count() == trail().count() == 2
    assert remember(ann, "two", source="chat", ref="x", limit=2).deduplicated is True  # needs no place
    assert remember(person("bob"), "Three", limit=2).text == "Three"


def test_create_many__mixed_batch__answers_item_by_item_with_one_audit_entry(inside) -> None:
    ann, bob = person("ann"), person("bob")
    items = [
        (ann, new("Likes tea", ref="1", confidence=0.5)),
        (ann, new("", ref="2")),
        (bob, new("Likes tea", ref="3")),
        (ann, new("likes  TEA", ref="4", confidence=0.5)),
        (ann, new("Plays chess", ref="5")),
        (ann, new("Plays go", ref="6")),
    ]
    results = services.create_many(items, actor=ALICE, limit_per_subject=2)
    assert [result.index for result in results] == [0, 1, 2, 3, 4, 5]
    assert [getattr(result.error, "code", None) for result in results] == [
        None, "invalid_request", None, None, None, "plan_limit",
    ]  # fmt: skip
    assert results[3].id == results[0].id
    assert results[3].deduplicated
    assert selectors.get(results[0].id).confidence == 0.75
    assert MemorySource.objects.filter(memory_id=results[0].id).count() == 2
    (entry,) = trail().all()
    assert entry.detail["created"] == [ids.public("mem", results[i].id) for i in (0, 2, 4)]
    assert (entry.detail["items"], entry.detail["refused"]) == (6, 2)
    assert sorted(events().values_list("subject_id", flat=True)) == ["ann", "ann", "bob"]
    assert SubjectState.objects.get(pk=ann.pk).count == 2


@pytest.mark.parametrize("size", [0, 1_001])
def test_create_many__too_few_or_too_many__is_refused(inside, size) -> None:
    with pytest.raises(BadRequest) as refused:
        services.create_many([(person(), new("x"))] * size, actor=ALICE, limit_per_subject=None)
    assert refused.value.problems[0].pointer == "#/items"
    assert "1 to 1000" in refused.value.detail


def test_create_many__thread__is_cut_into_sittings_by_an_hour(inside) -> None:
    ann = person()
    start = datetime(2025, 5, 1, 12, tzinfo=UTC)
    minutes = [0, 30, 200, 80]  # 80 lies within an hour of 30; 200 of none
    items = [
        (ann, new(f"turn {minute}", thread_id="t", occurred_at=start + timedelta(minutes=minute))) for minute in minutes
    ]
    results = services.create_many(items, actor=ALICE, limit_per_subject=None)
    sittings = [MemoryRow.objects.get(pk=result.id).sitting for result in results]
    assert sittings[0] == sittings[1] == sittings[3] != sittings[2]
    later = remember(ann, "turn 210", thread_id="t", occurred_at=start + timedelta(minutes=210))
    other = remember(ann, "elsewhere", thread_id="u", occurred_at=start)
    alone = remember(ann, "without a thread", occurred_at=start)
    rows = {memory.text: MemoryRow.objects.get(pk=memory.id).sitting for memory in (later, other, alone)}
    assert rows["turn 210"] == sittings[2]
    assert len({rows["elsewhere"], rows["without a thread"], *sittings}) == 4


def test_forget__memory__is_gone_from_recall_at_once_and_leaves_its_trail(inside) -> None:
    ann = person("ann")
    memory = remember(ann, "Likes tea")
    kept = remember(ann, "Likes chess")
    forgotten = services.forget(memory.id, actor=ALICE)
    assert (forgotten.status, forgotten.forgotten_at is not None) == ("forgotten", True)
    assert texts(ask(ann, "likes tea chess")) == ["Likes chess"]
    assert set(MemoryToken.objects.values_list("memory_id", flat=True)) == {kept.id}
    state = SubjectState.objects.get(pk=ann.pk)
    assert (state.version, state.count) == (3, 1)
    assert trail().order_by("-id").first().action == "memory.forgotten"
    assert events().order_by("-id").first().payload == {"memory_id": memory.public_id, "reason": "forgotten"}
    again = services.forget(memory.id, actor=ALICE)
    assert again.forgotten_at == forgotten.forgotten_at
    assert SubjectState.objects.get(pk=ann.pk).version == 3


def test_forget__then_the_same_words_again__is_a_new_memory(inside) -> None:
    ann = person()
    old = remember(ann, "Likes tea")
    services.forget(old.id, actor=ALICE)
    fresh = remember(ann, "Likes tea")
    assert fresh.id != old.id
    assert texts(ask(ann, "tea")) == ["Likes tea"]


def test_forget__unknown_memory__is_404(inside) -> None:
    with pytest.raises(MemoryNotFound):
        services.forget(ids.uuid7(), actor=ALICE)


def test_create__failure_after_the_write__leaves_nothing(inside) -> None:
    ann = person()
    with pytest.raises(RuntimeError), transaction.atomic():
        remember(ann, "Likes tea")
        raise RuntimeError
    assert MemoryRow.objects.count() == MemoryToken.objects.count() == SubjectState.objects.count() == 0


def test_page__filters_and_cursor__walk_newest_first(inside) -> None:
    ann, bob = person("ann"), person("bob")
    made = [remember(ann, f"fact {n}", source="gmail" if n % 2 else "chat") for n in range(5)]
    remember(bob, "not hers")
    secret = remember(ann, "a secret", persona_id="sage")
    services.forget(made[0].id, actor=ALICE)
    first = selectors.page(ann.pk, limit=2)
    second = selectors.page(ann.pk, limit=2, cursor=first.next_cursor)
    third = selectors.page(ann.pk, limit=2, cursor=second.next_cursor)
    seen = [memory.id for page in (first, second, third) for memory in page.data]
    assert seen == [secret.id, made[4].id, made[3].id, made[2].id, made[1].id]
    assert third.next_cursor is None
    assert [m.id for m in selectors.page(ann.pk, memory_scopes=("gmail",)).data] == [made[3].id, made[1].id]
    assert [m.id for m in selectors.page(ann.pk, status="forgotten").data] == [made[0].id]
    assert [m.id for m in selectors.page(ann.pk, memory_scopes=()).data] == []
    assert secret.id not in [m.id for m in selectors.page(ann.pk, personas=("vex",)).data]
    assert len(selectors.page(None).data) == 6


def test_create__future_event__is_known_before_it_happens(inside) -> None:
    ann = person()
    soon = clock.now() + timedelta(days=3)
    memory = remember(ann, "Dentist appointment", type="future_event", occurred_at=soon)
    assert memory.valid_from is None
    assert texts(ask(ann, "dentist")) == ["Dentist appointment"]


def test_create__statement_count__does_not_grow_with_the_batch(inside, django_assert_max_num_queries) -> None:
    ann = person()
    items = [(ann, new(f"fact number {n}", ref=str(n), slot=f"fact.n{n % 150}", value=n)) for n in range(200)]
    with django_assert_max_num_queries(20, connection=connection):
        services.create_many(items, actor=ALICE, limit_per_subject=None)
    again = [
        (ann, new(f"in other words {n}", ref=f"b{n}", slot=f"fact.n{n}", value=n + 150 if n < 50 else n))
        for n in range(150)
    ]
    with django_assert_max_num_queries(20, connection=connection):
        results = services.create_many(again, actor=ALICE, limit_per_subject=None)
    assert all(result.deduplicated for result in results)
    assert SubjectState.objects.get(pk=ann.pk).count == 150
