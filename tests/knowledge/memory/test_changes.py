"""Correcting, forgetting, restoring, setting aside, consents and boundaries: what each does to recall, at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.knowledge.memory import boundaries, consents, selectors, services
from gateway.knowledge.memory.decay import decay
from gateway.knowledge.memory.models import MemoryRow, MemoryToken, SubjectState, Tombstone
from gateway.knowledge.memory.topics import topic_of
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, new, person, remember, texts

BOB = Actor("user", "usr_bob")
JAN, JUN = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def correct(memory, expected_version=None, actor=BOB, **changes):
    return services.correct(memory.id, changes, expected_version=expected_version, actor=actor)


def version(subject) -> int:
    return SubjectState.objects.get(pk=subject.pk).version


def embed(memory) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO memory_embedding (memory_id, model_id, subject_pk, emb) VALUES (%s, 'm', %s, '[1,0]')",
            [memory.id, memory.subject_pk],
        )


def vectors() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM memory_embedding")
        return cursor.fetchone()[0]


def test_correct__text__is_a_new_version_with_the_same_source(inside) -> None:
    ann = person("ann")
    old = remember(
        ann, "Lives in Bregen", source="gmail", ref="m1", snippet="Bregen", occurred_at=JAN, persona_id="sage"
    )
    services.pin(old.id, actor=ALICE)
    fresh = correct(old, 1, text="Lives in Bergen", about="Ann", where="Norway", pii_tags=("home",))
    assert (fresh.version, fresh.previous_id, fresh.text, fresh.status) == (2, old.id, "Lives in Bergen", "active")
    assert (fresh.occurred_at, fresh.valid_from, fresh.provenance) == (JAN, JAN, old.provenance)
    assert (fresh.about, fresh.where, fresh.pii_tags, fresh.persona_id) == ("Ann", "Norway", ("home",), "sage")
    assert (fresh.created_by, fresh.trust, fresh.pinned_at is not None) == ("user:usr_bob", 3, True)
    was = selectors.get(old.id)
    assert (was.status, was.corrected, was.superseded_by, was.valid_to) == ("superseded", True, fresh.id, None)
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]
    assert texts(ask(ann, "lives", as_of=JUN)) == ["Lives in Bergen"]
    assert [one.text for one in selectors.history(fresh.id).data] == ["Lives in Bergen", "Lives in Bregen"]
    assert SubjectState.objects.get(pk=ann.pk).count == 1
    entry = AuditRow.objects.get(action="memory.corrected")
    assert entry.detail == {
        "corrects": old.public_id, "version": 2, "fields": ["about", "pii_tags", "text", "where"],
    }  # fmt: skip
    assert "Bergen" not in str(entry.detail)
    event = EventRow.objects.filter(name="memory.updated").order_by("-id").first()
    assert event.payload == {"memory_id": fresh.public_id, "supersedes": old.public_id}


def test_correct__what_was_known_before__is_found_by_known_at(inside) -> None:
    ann = person()
    old = remember(ann, "Lives in Bregen")
    between = clock.now()
    correct(old, text="Lives in Bergen")
    assert texts(ask(ann, "lives", known_at=between)) == ["Lives in Bregen"]


def test_correct__nothing_different__changes_nothing(inside) -> None:
    ann = person()
    memory = remember(ann, "Likes tea")
    before = version(ann)
    assert correct(memory, 1, text="Likes tea").id == memory.id
    assert (version(ann), MemoryRow.objects.count()) == (before, 1)


def test_correct__after_somebody_else__is_409_with_their_change(inside) -> None:
    ann = person()
    memory = remember(ann, "Likes tea")
    theirs = correct(memory, 1, text="Likes coffee")
    with pytest.raises(GatewayError) as refused:
        correct(memory, 1, text="Likes cocoa")
    assert (refused.value.http_status, refused.value.code) == (409, "version_conflict")
    current = refused.value.extra["current"]
    assert (current["id"], current["text"], current["changed_by"]) == (theirs.public_id, "Likes coffee", "user:usr_bob")
    with pytest.raises(GatewayError) as refused:
        correct(theirs, 1, text="Likes cocoa")
    assert refused.value.extra["current_version"] == 2
    assert texts(ask(ann, "likes")) == ["Likes coffee"]
    assert MemoryRow.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"text": ""}, "#/text"), ({"text": None}, "#/text"), ({"scope": "shared"}, "#/scope"),
        ({"confidence": 7}, "#/confidence"), ({"expires_at": JAN}, "#/expires_at"),
    ],
)  # fmt: skip
def test_correct__bad_field__is_named_and_nothing_changes(inside, changes, pointer) -> None:
    memory = remember(person(), "Likes tea")
    with pytest.raises(GatewayError) as refused:
        correct(memory, **changes)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert MemoryRow.objects.get().status == "active"


def test_correct__to_what_another_says__is_409(inside) -> None:
    ann = person()
    other, memory = remember(ann, "Likes tea"), remember(ann, "Likes coffee")
    with pytest.raises(GatewayError) as refused:
        correct(memory, text="likes TEA")
    assert (refused.value.code, refused.value.extra["memory_id"]) == ("memory_exists", other.public_id)
    assert selectors.get(memory.id).status == "active"


def test_correct__value_of_a_slot__takes_over_from_other_facts(inside) -> None:
    ann = person()
    stray = remember(ann, "City: Oslo", slot="town", value="Oslo", occurred_at=JAN)
    other = remember(ann, "Lives in Lund", slot="home.city", value="Lund", occurred_at=JAN)
    fresh = correct(stray, slot="home.city", occurred_at=JUN)
    assert selectors.get(other.id).superseded_by == fresh.id
    assert SubjectState.objects.get(pk=ann.pk).count == 1


def test_reimport__of_a_corrected_memory__does_not_undo_the_correction(inside) -> None:
    ann = person()
    old = remember(ann, "Lives in Bregen", source="gmail", ref="m1")
    fresh = correct(old, text="Lives in Bergen")
    again = remember(ann, "Lives in Bregen", source="gmail", ref="m1")
    assert (again.id, again.deduplicated) == (fresh.id, True)
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]


def test_forget__with_its_wordings_and_vectors__leaves_tombstones_alone(inside) -> None:
    ann = person("ann")
    old = remember(ann, "Lives in Bregen", slot="home.city", value="Bregen")
    fresh = correct(old, text="Lives in Bergen", value="Bergen")
    embed(old)
    embed(fresh)
    kept = remember(ann, "Likes tea")
    embed(kept)
    before = version(ann)
    services.forget(fresh.id, actor=ALICE)
    assert [selectors.get(one.id).status for one in (old, fresh, kept)] == ["forgotten", "forgotten", "active"]
    assert set(MemoryToken.objects.values_list("memory_id", flat=True)) == {kept.id}
    assert (vectors(), Tombstone.objects.count(), version(ann)) == (1, 2, before + 1)
    assert texts(ask(ann, "lives", known_at=clock.now())) == []
    assert selectors.history(fresh.id).data == []
    with pytest.raises(GatewayError) as refused:
        correct(fresh, text="Lives in Oslo")
    assert (refused.value.http_status, refused.value.code) == (410, "memory_forgotten")


def test_restore__within_30_days__brings_everything_back(inside) -> None:
    ann = person("ann")
    old = remember(ann, "Lives in Bregen")
    fresh = correct(old, text="Lives in Bergen")
    services.forget(fresh.id, actor=ALICE)
    again = services.restore(fresh.id, actor=ALICE, limit_per_subject=1)
    assert (again.status, again.forgotten_at, again.version) == ("active", None, 2)
    assert selectors.get(old.id).status == "superseded"
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]
    assert (Tombstone.objects.count(), SubjectState.objects.get(pk=ann.pk).count) == (0, 1)
    assert services.restore(fresh.id, actor=ALICE, limit_per_subject=1) == again
    assert AuditRow.objects.filter(action="memory.restored").count() == 1
    assert EventRow.objects.filter(name="memory.restored").count() == 1


def test_restore__too_late__is_410(inside, monkeypatch) -> None:
    memory = remember(person(), "Likes tea")
    services.forget(memory.id, actor=ALICE)
    later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(GatewayError) as refused:
        services.restore(memory.id, actor=ALICE, limit_per_subject=None)
    assert (refused.value.http_status, selectors.get(memory.id).status) == (410, "forgotten")


def test_restore__no_place_for_it__is_refused_and_stays_forgotten(inside) -> None:
    ann = person()
    memory = remember(ann, "Likes tea")
    services.forget(memory.id, actor=ALICE)
    remember(ann, "Plays chess")
    with pytest.raises(GatewayError) as refused:
        services.restore(memory.id, actor=ALICE, limit_per_subject=1)
    assert refused.value.code == "plan_limit"
    remember(ann, "likes TEA")
    with pytest.raises(GatewayError) as refused:
        services.restore(memory.id, actor=ALICE, limit_per_subject=None)
    assert refused.value.code == "memory_exists"
    assert (selectors.get(memory.id).status, SubjectState.objects.get(pk=ann.pk).count) == ("forgotten", 2)


def test_restore__newer_fact_meanwhile__comes_back_as_history(inside) -> None:
    ann = person()
    old = remember(ann, "Lives in Oslo", slot="home.city", value="Oslo", occurred_at=JAN)
    services.forget(old.id, actor=ALICE)
    now = remember(ann, "Lives in Bergen", slot="home.city", value="Bergen", occurred_at=JUN)
    again = services.restore(old.id, actor=ALICE, limit_per_subject=None)
    assert (again.status, again.valid_to, again.superseded_by) == ("superseded", JUN, now.id)
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]
    assert texts(ask(ann, "lives", as_of=JAN)) == ["Lives in Oslo"]
    assert SubjectState.objects.get(pk=ann.pk).count == 1


def test_silence__memory__is_kept_and_never_recalled_until_undone(inside) -> None:
    ann = person("ann")
    old = remember(ann, "Lives in Bregen")
    between = clock.now()
    memory = correct(old, text="Lives in Bergen")
    silenced = services.silence(memory.id, actor=ALICE)
    assert (silenced.status, silenced.silenced_at is not None) == ("silenced", True)
    assert services.silence(memory.id, actor=ALICE) == silenced
    assert texts(ask(ann, "lives")) == texts(ask(ann, "lives", known_at=between)) == []
    assert remember(ann, "Lives in Bergen", ref="9").status == "silenced"
    assert [one.id for one in selectors.page(ann.pk, status="silenced").data] == [memory.id, old.id]
    assert SubjectState.objects.get(pk=ann.pk).count == 1
    services.unsilence(memory.id, actor=ALICE)
    assert texts(ask(ann, "lives")) == ["Lives in Bergen"]
    assert selectors.get(old.id).status == "superseded"
    actions = AuditRow.objects.filter(action__contains="silenced").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["memory.silenced", "memory.unsilenced"]


def test_pin__memory__is_listed_as_pinned(inside) -> None:
    ann = person()
    memory = remember(ann, "Likes tea")
    remember(ann, "Likes cake")
    services.pin(memory.id, actor=ALICE)
    assert [one.id for one in selectors.page(ann.pk, pinned=True).data] == [memory.id]
    before = version(ann)
    services.pin(memory.id, actor=ALICE)
    assert version(ann) == before
    services.unpin(memory.id, actor=ALICE)
    assert selectors.page(ann.pk, pinned=True).data == []


def test_consent__taken_back__hides_its_lineage_at_once_and_given_again_restores(acme, globex) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(globex):
        remember(ann, "Likes tea at theirs", source="gmail")
    with scope(acme):
        remember(ann, "Likes tea by mail", source="Gmail")
        remember(ann, "Likes tea by chat", source="chat")
        remember(bob, "Likes tea too", source="gmail")
        taken = consents.put(ann, "GMAIL", False, actor=BOB)
        assert (taken.source, taken.granted, taken.updated_by) == ("gmail", False, "user:usr_bob")
        assert texts(ask(ann, "tea")) == ["Likes tea by chat"]
        assert texts(ask(bob, "tea")) == ["Likes tea too"]
        result = services.create_many(
            [(ann, new("Has a dog", source="gmail", extracted=True))], actor=ALICE, limit_per_subject=None
        )
        assert result[0].error.code == "source_revoked"
        before = version(ann)
        assert consents.put(ann, "gmail", False, actor=ALICE) == taken
        assert version(ann) == before
        consents.put(ann, "gmail", True, actor=BOB)
        assert sorted(texts(ask(ann, "tea"))) == ["Likes tea by chat", "Likes tea by mail"]
        assert [one.granted for one in consents.of(ann.pk)] == [True]
        actions = AuditRow.objects.filter(action__startswith="consent.").order_by("id")
        assert [(one.action, one.detail) for one in actions] == [
            ("consent.revoked", {"source": "gmail"}), ("consent.granted", {"source": "gmail"}),
        ]  # fmt: skip
    with scope(globex):
        assert texts(ask(ann, "tea")) == ["Likes tea at theirs"]
        assert consents.of(ann.pk) == []


def test_boundary__source__holds_beside_the_consent(inside) -> None:
    ann = person("ann")
    remember(ann, "Likes tea", source="gmail")
    line = boundaries.add(ann, "source", source="gmail", actor=BOB)
    consents.put(ann, "gmail", True, actor=BOB)
    assert texts(ask(ann, "tea")) == []
    assert SubjectState.objects.get(pk=ann.pk).revoked == ["gmail"]
    lifted = boundaries.lift(line.id, subject_pk=ann.pk, actor=ALICE)
    assert (lifted.lifted_by, lifted.lifted_at is not None) == ("key:key_alice", True)
    assert texts(ask(ann, "tea")) == ["Likes tea"]
    assert (boundaries.of(ann.pk), boundaries.of(ann.pk, lifted=True)) == ([], [lifted])


def test_boundary__topic__hides_what_is_and_what_comes_until_lifted(inside) -> None:
    ann, bob = person("ann"), person("bob")
    told = remember(ann, "The divorce from Carl was painful")
    other = remember(ann, "Carl has a boat")
    slot = remember(ann, "It was in May", slot="family.divorce", value="May")
    remember(bob, "A divorce lawyer")
    line = boundaries.add(ann, "topic", statement="Please don't bring up my divorce again.", actor=BOB)
    assert (line.statement, line.created_by) == ("my divorce", "user:usr_bob")
    assert boundaries.add(ann, "topic", statement="My Divorce", actor=ALICE).id == line.id
    later = remember(ann, "Divorced since 2020")
    assert [selectors.get(one.id).hidden for one in (told, other, slot, later)] == [True, False, True, True]
    assert texts(ask(ann, "divorce painful May Carl")) == ["Carl has a boat"]
    assert texts(ask(bob, "divorce")) == ["A divorce lawyer"]
    fixed = correct(later, text="Divorced since 2021")
    assert fixed.hidden is True
    second = boundaries.add(ann, "topic", statement="divorce May", actor=BOB)
    boundaries.lift(line.id, actor=BOB)
    assert [selectors.get(one.id).hidden for one in (told, other, slot, fixed)] == [False, False, True, False]
    boundaries.lift(second.id, actor=BOB)
    boundaries.lift(second.id, actor=ALICE)
    assert MemoryRow.objects.filter(hidden=True).count() == 0
    assert list(AuditRow.objects.filter(action__startswith="boundary.").values_list("action", flat=True)) == [
        "boundary.created", "boundary.created", "boundary.lifted", "boundary.lifted",
    ]  # fmt: skip
    assert "divorce" not in str(list(AuditRow.objects.filter(action__startswith="boundary.").values_list("detail")))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"kind": "topic", "statement": " "}, "length"), ({"kind": "topic", "statement": "the of and"}, "no_words"),
        ({"kind": "topic", "statement": "x" * 513}, "length"), ({"kind": "source", "source": " "}, "length"),
    ],
    ids=["empty", "stop words", "too long", "no source"],
)  # fmt: skip
def test_boundary__that_says_nothing__is_refused(inside, given, code) -> None:
    ann = person()
    with pytest.raises(GatewayError) as refused:
        boundaries.add(ann, given.pop("kind"), **given, actor=BOB)
    assert refused.value.problems[0].code == code
    assert boundaries.of(ann.pk) == []


def test_boundary__of_another_subject__is_not_found(inside) -> None:
    ann, bob = person("ann"), person("bob")
    line = boundaries.add(ann, "topic", statement="divorce", actor=BOB)
    with pytest.raises(GatewayError) as refused:
        boundaries.lift(line.id, subject_pk=bob.pk, actor=BOB)
    assert refused.value.code == "boundary_not_found"
    assert boundaries.of(ann.pk) == [line]


@pytest.mark.parametrize(
    ("said", "topic"),
    [
        ("don't bring up my divorce", "my divorce"), ("Never mention the accident again", "the accident"),
        ("Stop asking me about work, please", "work"), ("my stop sign collection", "my stop sign collection"),
        ("do not talk about Carl any more!", "Carl"), ("what came up", "what came up"),
        ("Please, we don't want people to ask about money at all.", "money"),
        ("leave out the accident", "the accident"),
        ("I would prefer not to hear about cancer", "cancer"), ("Let us skip the topic of work", "work"),
        ("Stop smoking", "Stop smoking"), ("avoidance", "avoidance"), ("no more work talk", "no more work talk"),
    ],
)  # fmt: skip
def test_topic__of_a_request__is_what_it_is_about(said, topic) -> None:
    assert topic_of(said) == topic


def test_decay__by_type_and_age__is_a_soft_factor() -> None:
    year = timedelta(days=365)
    assert decay("fact", 50 * year) == decay("preference", 50 * year) == decay("event", -year) == 1.0
    assert decay("travel", year) == 0.75
    ages = [decay("event", timedelta(days=days)) for days in (0, 30, 365, 100_000)]
    assert ages == sorted(ages, reverse=True)
    assert (ages[0], 0.5 <= ages[-1] < 0.501) == (1.0, True)
