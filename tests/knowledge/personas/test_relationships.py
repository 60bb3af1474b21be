"""Stages grow with the turns and never shrink by themselves; what a person sets, stands."""

from __future__ import annotations

import pytest

from gateway.core import ids
from gateway.core.journal import Actor
from gateway.knowledge.personas import relationships
from gateway.knowledge.personas.models import RelationshipRow
from gateway.knowledge.personas.types import STAGES
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope

ALICE = Actor("key", "key_alice")


@pytest.fixture
def inside(acme):
    with scope(acme):
        for rows in (AuditRow, EventRow):
            rows.objects.all().delete()
        yield ids.uuid7()


def had(subject, turns: int) -> None:
    """As if the two had had so many turns."""
    relationships.note_turn(subject, "sage")
    reached = sum(turns >= needed for needed in relationships.TURNS) - 1
    RelationshipRow.objects.filter(subject=subject, slug="sage").update(turns=turns, stage=reached)


def test_of__never_spoken__are_strangers(inside) -> None:
    found = relationships.of(inside, "sage")
    assert (found.stage, found.turns, found.level, found.since, found.next_stage_at) == ("stranger", 0, 0, None, 7)
    assert RelationshipRow.objects.filter(subject=inside).count() == 0


@pytest.mark.parametrize(
    ("turns", "stage", "level", "following"),
    [
        (0, "stranger", 1, 7), (5, "stranger", 2, 7), (6, "acquaintance", 3, 31), (29, "acquaintance", 4, 31),
        (30, "friend", 5, 127), (125, "friend", 6, 127), (126, "best_friend", 7, None),
        (1_022, "best_friend", 10, None), (5_000, "best_friend", 10, None),
    ],
)  # fmt: skip
def test_note_turn__one_more__reaches_the_stage_of_its_level(inside, turns, stage, level, following) -> None:
    if turns:
        had(inside, turns)
    found = relationships.note_turn(inside, "sage")
    assert (found.stage, found.turns, found.level, found.next_stage_at) == (stage, turns + 1, level, following)
    assert relationships.of(inside, "sage") == found


def test_note_turn__new_stage__is_told_once(inside) -> None:
    had(inside, 6)
    before = relationships.of(inside, "sage").since
    for _ in range(3):
        found = relationships.note_turn(inside, "sage", subject_id="ada")
    assert found.since > before
    (event,) = EventRow.objects.all()
    assert (event.name, event.subject_id, event.persona_id) == ("relationship.changed", "ada", "sage")
    assert event.payload == {"stage": "acquaintance", "locked": False}
    (audit,) = AuditRow.objects.all()
    assert (audit.action, audit.target) == ("relationship.advanced", "persona:sage")


def test_level__every_number_of_turns__doubles_and_never_falls() -> None:
    levels = [relationships.level(turns) for turns in range(3_000)]
    assert levels == sorted(levels)
    assert [levels.index(level) for level in range(11)] == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023]
    assert tuple(levels.index(level) for level in (0, 3, 5, 7)) == relationships.TURNS
    assert len(relationships.TURNS) == len(STAGES)


def test_set_stage__lower__counts_on_from_there(inside) -> None:
    had(inside, 200)
    found = relationships.set_stage(inside, "sage", "acquaintance", actor=ALICE, subject_id="ada")
    assert (found.stage, found.turns, found.next_stage_at) == ("acquaintance", 7, 31)
    assert relationships.note_turn(inside, "sage").stage == "acquaintance"
    assert AuditRow.objects.get().action == "relationship.set"
    assert relationships.set_stage(inside, "sage", "acquaintance", actor=ALICE).turns == 8
    assert AuditRow.objects.count() == 1


def test_set_stage__before_they_ever_spoke__is_kept(inside) -> None:
    assert relationships.set_stage(inside, "sage", "best_friend", actor=ALICE).stage == "best_friend"
    assert relationships.note_turn(inside, "sage").stage == "best_friend"


def test_set_stage__locked__is_not_moved_by_turns_until_it_is_unlocked(inside) -> None:
    relationships.set_stage(inside, "sage", "stranger", locked=True, actor=ALICE)
    for _ in range(40):
        found = relationships.note_turn(inside, "sage")
    assert (found.stage, found.turns, found.next_stage_at, found.locked) == ("stranger", 40, None, True)
    found = relationships.set_stage(inside, "sage", "stranger", actor=ALICE)
    assert (found.turns, found.next_stage_at) == (6, 7)
    assert relationships.note_turn(inside, "sage").stage == "acquaintance"


def test_page__of_a_subject__is_its_own_and_narrowed(inside, globex) -> None:
    other = ids.uuid7()
    for subject, slug in ((inside, "sage"), (inside, "vex"), (other, "sage")):
        relationships.note_turn(subject, slug)
    first = relationships.page(inside, limit=1)
    assert [one.persona_id for one in first.data] == ["sage"]
    assert [one.persona_id for one in relationships.page(inside, cursor=first.next_cursor).data] == ["vex"]
    assert [one.persona_id for one in relationships.page(inside, only=("vex", "kael")).data] == ["vex"]
    with scope(globex):
        assert relationships.of(inside, "sage").turns == 0
        assert relationships.erase(inside) == 0
    assert relationships.of(inside, "sage").turns == 1


def test_erase__of_a_subject__leaves_the_others(inside) -> None:
    other = ids.uuid7()
    for subject in (inside, other):
        relationships.note_turn(subject, "sage")
    assert relationships.erase(inside) == 1
    assert relationships.erase(inside) == 0
    assert relationships.of(other, "sage").turns == 1
