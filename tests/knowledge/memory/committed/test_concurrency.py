"""Several writers of one subject at once: the limit holds, nothing doubles, nobody deadlocks."""

from __future__ import annotations

from datetime import timedelta

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.knowledge.memory import selectors, services, tidying
from gateway.knowledge.memory.models import MemoryRow, MemorySource, MemoryToken, SubjectState, TidyReport
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.models import SubjectRow
from gateway.platform.audit.models import AuditRow
from tenants.context import scope
from tenants.types import OrgRef
from tests.factories.threads import at_once
from tests.knowledge.memory.support import ALICE, new, person, remember


def test_create__eight_at_once_for_three_places__three_are_stored(acme: OrgRef) -> None:
    ann = person()
    results = at_once(acme, [lambda n=n: remember(ann, f"fact {n}", limit=3) for n in range(8)])
    refused = [result for result in results if isinstance(result, GatewayError)]
    assert [error.code for error in refused] == ["plan_limit"] * 5
    with scope(acme):
        assert MemoryRow.objects.count() == 3
        state = SubjectState.objects.get()
        assert (state.count, state.version) == (3, 3)


def test_create__the_same_words_at_once__is_one_memory_with_all_sources(acme: OrgRef) -> None:
    ann = person()
    results = at_once(acme, [lambda n=n: remember(ann, "Likes tea", ref=str(n), confidence=0.5) for n in range(6)])
    assert len({result.id for result in results}) == 1
    assert sorted(result.deduplicated for result in results) == [False] + [True] * 5
    with scope(acme):
        assert MemorySource.objects.count() == 6
        assert sorted(MemorySource.objects.values_list("position", flat=True)) == [0, 1, 2, 3, 4, 5]
        assert selectors.get(results[0].id).confidence == 1 - 0.5**6


def test_create_many__overlapping_batches_in_opposite_order__do_not_deadlock(acme: OrgRef) -> None:
    people = [person(f"usr_{n}") for n in range(10)]

    def write(tag: str, order: int) -> None:
        items = [(one, new(f"{tag} about {one.id}")) for one in people[::order]]
        for _ in range(3):
            services.create_many(items, actor=ALICE, limit_per_subject=None)

    at_once(acme, [lambda t=t, o=o: write(t, o) for t, o in (("a", 1), ("b", -1), ("c", 1), ("d", -1))])
    with scope(acme):
        assert MemoryRow.objects.count() == 40
        assert set(SubjectState.objects.values_list("count", flat=True)) == {4}


def test_forget__at_once__happens_once(acme: OrgRef) -> None:
    ann = person()
    with scope(acme):
        memory = remember(ann, "Likes tea")
    results = at_once(acme, [lambda: services.forget(memory.id, actor=ALICE) for _ in range(5)])
    assert len({result.forgotten_at for result in results}) == 1
    with scope(acme):
        assert AuditRow.objects.filter(action="memory.forgotten").count() == 1
        assert SubjectState.objects.get().count == 0
        assert MemoryToken.objects.count() == 0


def test_correct__two_at_once__one_wins_and_the_other_sees_its_change(acme: OrgRef) -> None:
    ann = person()
    with scope(acme):
        memory = remember(ann, "Likes tea")
    results = at_once(
        acme,
        [
            lambda n=n: services.correct(memory.id, {"text": f"Likes {n}"}, expected_version=1, actor=ALICE)
            for n in ("cocoa", "coffee", "water")
        ],
    )
    refused = [result for result in results if isinstance(result, GatewayError)]
    (won,) = (result for result in results if not isinstance(result, GatewayError))
    assert [error.code for error in refused] == ["version_conflict"] * 2
    assert {error.extra["current"]["id"] for error in refused} == {won.public_id}
    with scope(acme):
        assert [(one.text, one.version) for one in selectors.page(ann.pk).data] == [(won.text, 2)]
        assert MemoryRow.objects.count() == 2


def test_create__contradictions_at_once__one_fact_is_current_and_nothing_is_lost(acme: OrgRef) -> None:
    ann = person()
    cities = ("Oslo", "Bergen", "Lund", "Turku")
    results = at_once(
        acme, [lambda city=city: remember(ann, f"Lives in {city}", slot="home.city", value=city) for city in cities]
    )
    assert len({result.id for result in results}) == 4
    with scope(acme):
        (current,) = selectors.page(ann.pk).data
        history = selectors.page(ann.pk, status="superseded").data
        assert {current.text, *(one.text for one in history)} == {f"Lives in {city}" for city in cities}
        assert all(one.superseded_by is not None and one.valid_to is not None for one in history)
        assert all(one.occurred_at <= current.occurred_at for one in history)
        assert SubjectState.objects.get().count == 1


def test_forget__while_somebody_corrects_it__is_forgotten_in_every_wording(acme: OrgRef) -> None:
    with scope(acme):
        memory = remember(person(), "Likes tea")

    def correct() -> object:
        return services.correct(memory.id, {"text": "Likes cocoa"}, expected_version=None, actor=ALICE)

    first, _ = at_once(acme, [correct, lambda: services.forget(memory.id, actor=ALICE)])
    assert not isinstance(first, GatewayError) or first.code == "memory_forgotten"
    with scope(acme):
        assert set(MemoryRow.objects.values_list("status", flat=True)) == {"forgotten"}
        assert (SubjectState.objects.get().count, MemoryToken.objects.count()) == (0, 0)


def test_tidy__at_once__is_done_once_a_night(acme: OrgRef) -> None:
    with scope(acme):
        services.forget(remember(person(), "Likes tea").id, actor=ALICE)
    night = clock.now() + timedelta(days=31)
    results = at_once(acme, [lambda: tidying.run(now=night) for _ in range(3)])
    assert [result for result in results if result and result["purged"]] == [{"purged": 1, "expired": 0, "merged": 0}]
    with scope(acme):
        assert TidyReport.objects.count() == 1
        assert MemoryRow.objects.count() == 0


def test_ensure__the_same_subject_at_once__is_created_once(acme: OrgRef) -> None:
    refs = at_once(acme, [lambda: subjects.ensure("usr_1") for _ in range(6)])
    assert len({ref.pk for ref in refs}) == 1
    with scope(acme):
        assert SubjectRow.objects.count() == 1
        assert AuditRow.objects.filter(action="subject.created").count() == 1
