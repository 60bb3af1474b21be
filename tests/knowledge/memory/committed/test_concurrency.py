"""Several writers of one subject at once: the limit holds, nothing doubles, nobody deadlocks."""

from __future__ import annotations

from gateway.core.errors import GatewayError
from gateway.knowledge.memory import selectors, services
from gateway.knowledge.memory.models import MemoryRow, MemorySource, MemoryToken, SubjectState
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


def test_ensure__the_same_subject_at_once__is_created_once(acme: OrgRef) -> None:
    refs = at_once(acme, [lambda: subjects.ensure("usr_1") for _ in range(6)])
    assert len({ref.pk for ref in refs}) == 1
    with scope(acme):
        assert SubjectRow.objects.count() == 1
        assert AuditRow.objects.filter(action="subject.created").count() == 1
