"""Subjects come into being on first use, once, and are each organization's own."""

from __future__ import annotations

import pytest

from gateway.core.errors import BadRequest
from gateway.core.journal import Actor
from gateway.knowledge.subjects import selectors, services
from gateway.knowledge.subjects.errors import InvalidSubjectId, SubjectNotFound
from gateway.knowledge.subjects.models import SubjectRow
from gateway.knowledge.subjects.types import SubjectFilter
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope

ALICE = Actor("key", "key_alice")


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def _audited() -> list[tuple[str, str]]:
    return list(AuditRow.objects.filter(action="subject.created").order_by("id").values_list("actor_id", "subject_id"))


def test_ensure__new_id__is_created_with_its_trail(inside) -> None:
    ref = services.ensure("usr_1", actor=ALICE)
    assert ref.id == "usr_1"
    assert selectors.find("usr_1") == ref
    assert _audited() == [("key_alice", "usr_1")]
    assert EventRow.objects.filter(name="subject.created", subject_id="usr_1").count() == 1


def test_ensure__known_id__is_one_query_and_no_trail(inside, django_assert_num_queries) -> None:
    first = services.ensure("usr_1")
    with django_assert_num_queries(1):
        assert services.ensure("usr_1") == first
    assert len(_audited()) == 1


def test_ensure_many__some_new__creates_those(inside) -> None:
    known = services.ensure("b")
    found = services.ensure_many(["a", "b", "c", "a"], actor=ALICE)
    assert sorted(found) == ["a", "b", "c"]
    assert found["b"] == known
    assert SubjectRow.objects.count() == 3


@pytest.mark.parametrize("subject_id", ["", "x" * 129, "a\nb", "a\0b", " padded", "padded ", "a\ud800", "a\u200bb"])
def test_ensure__id_that_cannot_be_one__is_refused_and_named(inside, subject_id) -> None:
    with pytest.raises(InvalidSubjectId) as refused:
        services.ensure_many(["fine", subject_id])
    assert isinstance(refused.value, BadRequest)
    assert [problem.pointer for problem in refused.value.problems] == ["#/subject_id"]
    assert "128" in refused.value.detail
    assert SubjectRow.objects.count() == 0


@pytest.mark.parametrize(
    "subject_id", ["x" * 128, "name with spaces", "Ünïcödé 🙂", "a/b?c#d", "'; DROP TABLE subject"]
)
def test_ensure__any_printable_string__is_an_id(inside, subject_id) -> None:
    assert services.ensure(subject_id).id == subject_id
    assert selectors.get(subject_id).id == subject_id


@pytest.mark.parametrize("subject_id", ["nobody", "a\0b", "\ud800", "x" * 5_000])
def test_get__unknown__is_404(inside, subject_id) -> None:
    assert selectors.find(subject_id) is None
    with pytest.raises(SubjectNotFound):
        selectors.get(subject_id)


def test_subjects__of_two_organizations__are_strangers(acme, globex) -> None:
    with scope(acme):
        mine = services.ensure("usr_1")
    with scope(globex):
        assert selectors.find("usr_1") is None
        assert services.ensure("usr_1").pk != mine.pk


def test_page__with_cursor_and_restriction__walks_all_once(inside) -> None:
    services.ensure_many(f"usr_{n}" for n in range(5))
    seen, cursor = [], None
    while True:
        page = selectors.page(limit=2, cursor=cursor)
        seen += [subject.id for subject in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == [f"usr_{n}" for n in range(5)]
    assert [subject.id for subject in selectors.page(SubjectFilter(only=("usr_3", "nobody"))).data] == ["usr_3"]
    assert selectors.page(SubjectFilter(only=())).data == []
