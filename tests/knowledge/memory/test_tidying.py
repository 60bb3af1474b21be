"""The night: what is deleted for good, what becomes one, and what is said about it; erasing and exporting a subject."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.core.plain import plain
from gateway.knowledge.memory import boundaries, consents, erasure, exporting, reports, selectors, services, tidying
from gateway.knowledge.memory.models import (
    MemoryRow,
    MemorySource,
    MemoryToken,
    SubjectState,
    TidyReport,
    Tombstone,
)
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, new, person, remember, texts

DAY = timedelta(days=1)
TABLES = (
    "memory", "memory_token", "memory_embedding", "memory_embedding_failure", "memory_tombstone", "memory_consent",
    "memory_boundary", "memory_subject",
)  # fmt: skip


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def rows_about(subject) -> dict[str, int]:
    counts = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE subject_pk = %s", [subject.pk])
            counts[table] = cursor.fetchone()[0]
    return {table: count for table, count in counts.items() if count}


def test_purge__forgotten_30_days_ago__leaves_a_hash_alone(acme, globex) -> None:
    ann = person("ann")
    with scope(globex):
        theirs = remember(ann, "Likes tea")
        services.forget(theirs.id, actor=ALICE)
    with scope(acme):
        old = remember(ann, "Likes tea", source="gmail", ref="m1", snippet="tea", slot="drink", value="tea")
        kept = remember(ann, "Likes cake")
        services.forget(old.id, actor=ALICE)
        now = clock.now()
        assert tidying.run(now=now + 29 * DAY) == {"purged": 0, "expired": 0, "merged": 0}
        assert tidying.run(now=now + 31 * DAY) == {"purged": 1, "expired": 0, "merged": 0}
        assert list(MemoryRow.objects.values_list("id", flat=True)) == [kept.id]
        assert set(MemorySource.objects.values_list("memory_id", flat=True)) == {kept.id}
        (stone,) = Tombstone.objects.all()
        assert (bytes(stone.content_hash) != b"", stone.memory_id) == (True, old.id)
        (result,) = services.create_many([(ann, new("Likes tea", extracted=True))], actor=ALICE, limit_per_subject=None)
        assert result.error.code == "forgotten_before"
        entry = AuditRow.objects.get(action="memory.purged")
        assert entry.detail == {"reason": "forgotten", "memories": [old.public_id]}
        with pytest.raises(GatewayError):
            services.restore(old.id, actor=ALICE, limit_per_subject=None)
    with scope(globex):
        assert selectors.get(theirs.id).status == "forgotten"
        assert TidyReport.objects.count() == 0


def test_expire__past_its_time__is_deleted_with_an_event(inside) -> None:
    ann = person("ann")
    brief = remember(ann, "Parked on level 3", expires_at=clock.now() + DAY)
    kept = remember(ann, "Likes cake")
    assert tidying.run(now=clock.now() + 2 * DAY) == {"purged": 0, "expired": 1, "merged": 0}
    assert list(MemoryRow.objects.values_list("id", flat=True)) == [kept.id]
    assert set(MemoryToken.objects.values_list("memory_id", flat=True)) == {kept.id}
    assert (SubjectState.objects.get(pk=ann.pk).count, Tombstone.objects.count()) == (1, 0)
    event = EventRow.objects.get(name="memory.deleted")
    assert (event.payload, event.subject_id) == ({"memory_id": brief.public_id, "reason": "expired"}, "ann")


def twice(subject, *given):
    """Facts of one slot as an earlier release stored them: side by side."""
    made = [remember(subject, text, ref=ref, **more) for text, ref, more in given]
    MemoryRow.objects.filter(pk__in=[one.id for one in made]).update(slot="home.city", value="Bergen")
    return made


def test_merge__same_value_of_a_slot__becomes_one_with_all_sources(inside) -> None:
    ann = person("ann")
    at = datetime(2025, 1, 1, tzinfo=UTC)
    first, second, denied, elsewhere = twice(
        ann,
        ("Lives in Bergen", "1", {"occurred_at": at, "confidence": 0.5}),
        ("Home: Bergen", "2", {"occurred_at": at + DAY, "confidence": 0.5}),
        ("Doesn't live in Bergen", "3", {"occurred_at": at + 2 * DAY}),
        ("Bergen, by mail", "4", {"occurred_at": at + 3 * DAY, "source": "gmail"}),
    )
    bob = person("bob")
    twice(bob, ("Lives in Bergen", "1", {}))
    assert tidying.run() == {"purged": 0, "expired": 0, "merged": 1}
    was = selectors.get(second.id)
    assert (was.status, was.superseded_by, was.corrected) == ("superseded", first.id, True)
    assert [selectors.get(one.id).status for one in (first, denied, elsewhere)] == ["active"] * 3
    assert selectors.get(first.id).confidence == 0.75
    assert sorted(MemorySource.objects.filter(memory_id=first.id).values_list("ref", "position")) == [
        ("1", 0),
        ("2", 1),
    ]
    assert SubjectState.objects.get(pk=ann.pk).count == 3
    assert AuditRow.objects.get(action="memory.merged").detail == {"into": {second.public_id: first.public_id}}
    services.forget(first.id, actor=ALICE)
    assert selectors.get(second.id).status == "forgotten"  # it says the same


def test_merge__alike_texts_without_a_slot__stay_apart(inside) -> None:
    ann = person()
    remember(ann, "Likes green tea a lot")
    remember(ann, "Likes green tea lots")
    assert tidying.run() == {"purged": 0, "expired": 0, "merged": 0}
    assert len(texts(ask(ann, "tea"))) == 2


def test_tidy__twice_in_one_night__happens_once_and_is_reported(inside) -> None:
    remember(person(), "Likes tea")
    now = datetime(2030, 1, 2, 12, tzinfo=UTC)
    assert tidying.run(now=now) is not None
    assert tidying.run(now=now + timedelta(hours=14)) is None
    assert tidying.run(now=now + timedelta(hours=16)) is not None
    first = reports.page(limit=1)
    assert first.data[0].ran_at == now + timedelta(hours=16)
    assert reports.page(limit=1, cursor=first.next_cursor).data[0].ran_at == now
    TidyReport.objects.filter(ran_at=now + timedelta(hours=16)).update(counts={"left": 1})
    assert tidying.run(now=now + timedelta(hours=17)) == {"purged": 0, "expired": 0, "merged": 0}
    assert TidyReport.objects.count() == 2


def test_tidy__out_of_time__says_what_is_left(inside) -> None:
    remember(person(), "Likes tea")
    assert tidying.run(seconds=0) == {"purged": 0, "expired": 0, "merged": 0, "left": 1}


def test_tidy__organization_without_memories__writes_no_report(inside) -> None:
    if not SubjectState.objects.exists():
        assert tidying.run() is None
        assert TidyReport.objects.count() == 0


def lived(subject):
    """A subject about whom there is something in every table."""
    first = remember(subject, "Lives in Oslo", source="gmail", ref="m1", slot="home.city", value="Oslo")
    remember(subject, "Lives in Bergen", source="gmail", slot="home.city", value="Bergen", about="Ann", where="Norway")
    services.forget(remember(subject, "Likes tea").id, actor=ALICE)
    consents.put(subject, "calendar", False, actor=ALICE)
    boundaries.lift(boundaries.add(subject, "topic", statement="divorce", actor=ALICE).id, actor=ALICE)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO memory_embedding (memory_id, model_id, subject_pk, emb) VALUES (%s, 'm', %s, '[1]')",
            [first.id, subject.pk],
        )
    return first


def test_erase__subject__leaves_nothing_of_it_and_all_of_others(acme, globex, monkeypatch) -> None:
    monkeypatch.setattr(erasure, "BATCH", 2)
    monkeypatch.setattr(erasure, "_POSTINGS", 3)
    ann, bob = person("ann"), person("bob")
    with scope(globex):
        lived(ann)
    with scope(acme):
        first = lived(ann)
        lived(bob)
        before = rows_about(bob)
        counts = erasure.erase(ann.pk)
        assert rows_about(ann) == {}
        assert not MemorySource.objects.filter(memory_id=first.id).exists()
        assert rows_about(bob) == before
        assert {name: counts[name] for name in ("memories", "consents", "boundaries", "memory_tombstones")} == {
            "memories": 3, "consents": 1, "boundaries": 1, "memory_tombstones": 1,
        }  # fmt: skip
        assert erasure.erase(ann.pk) == {}
    with scope(globex):
        assert rows_about(ann) == before


def test_export__subject__is_plain_json_with_sources_and_history(inside) -> None:
    ann, bob = person("ann"), person("bob")
    first = lived(ann)
    lived(bob)
    lines = [json.loads(json.dumps(plain(line))) for line in exporting.lines(ann.pk)]
    assert [line["type"] for line in lines] == ["memory", "memory", "memory", "consent", "boundary"]
    old, fresh, gone = lines[:3]
    assert (old["id"], old["superseded_by"], old["status"]) == (first.public_id, fresh["id"], "superseded")
    assert [(one["source"], one["ref"]) for one in old["sources"]] == [("gmail", "m1")]
    assert (fresh["about"], fresh["where"], fresh["memory_type"], fresh["value"]) == ("Ann", "Norway", "fact", "Bergen")
    assert gone["status"] == "forgotten"
    assert (lines[3]["source"], lines[3]["granted"], lines[4]["statement"]) == ("calendar", False, "divorce")
    assert lines[4]["lifted_at"] is not None
