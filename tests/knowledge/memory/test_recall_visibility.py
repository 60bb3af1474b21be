"""What hides a memory hides it wholly: it is not found, and nobody's score tells that it is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.core import clock
from gateway.knowledge.memory.models import MemoryRow, SubjectState
from gateway.knowledge.memory.types import Memory, Recall
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tests.knowledge.memory.support import ask, person, remember, texts
from tests.knowledge.memory.vectors import embed, meaning

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def _update(**values: Any) -> Callable[[Memory], None]:
    def change(memory: Memory) -> None:
        MemoryRow.objects.filter(pk=memory.id).update(**values)

    return change


def _revoke(memory: Memory) -> None:
    SubjectState.objects.filter(pk=memory.subject_pk).update(revoked=["gmail"])


def _revoke_one_of_two(memory: Memory) -> None:
    _update(source_kinds=["chat", "gmail"])(memory)
    _revoke(memory)


def _closed(memory: Memory) -> None:
    _update(status="superseded", valid_to=clock.now() - HOUR, retired_at=clock.now() - HOUR)(memory)


# What is stored, what happens to it then, and what is asked; each hides it.
HIDDEN: dict[str, tuple[dict[str, Any], Callable[[Memory], None], dict[str, Any]]] = {
    "forgotten": ({}, _update(status="forgotten"), {}),
    "silenced": ({}, _update(status="silenced"), {}),
    "hidden": ({}, _update(hidden=True), {}),
    "expired": ({}, _update(expires_at=LONG_AGO), {}),
    "revoked": ({"source": "gmail"}, _revoke, {}),
    "revoked-second-source": ({}, _revoke_one_of_two, {}),
    "superseded": ({}, _closed, {}),
    "superseded-never-closed": ({}, _update(status="superseded", retired_at=LONG_AGO), {}),
    "corrected": ({}, _update(status="superseded", corrected=True, retired_at=LONG_AGO), {}),
    "retired": ({}, _update(retired_at=LONG_AGO), {}),
    "no-longer-true": ({"valid_from": LONG_AGO, "valid_to": LONG_AGO + DAY}, lambda _: None, {}),
    "not-yet-true": ({"valid_from": LONG_AGO}, _update(valid_from=datetime(2999, 1, 1, tzinfo=UTC)), {}),
    "not-yet-true-then": ({"valid_from": LONG_AGO + 2 * DAY}, lambda _: None, {"as_of": LONG_AGO + DAY}),
    "not-yet-known": ({}, lambda _: None, {"known_at": LONG_AGO}),
    "other-scope": ({"source": "gmail"}, lambda _: None, {"memory_scopes": ("chat",)}),
    "no-scope": ({}, lambda _: None, {"memory_scopes": ()}),
    "other-type": ({"type": "event"}, lambda _: None, {"types": ("fact",)}),
    "other-persona": ({"persona_id": "sage"}, lambda _: None, {"personas": ("vex",)}),
    "uncertain": ({"confidence": 0.4}, lambda _: None, {"min_confidence": 0.5}),
}  # fmt: skip
SEEN_TOO = {"not-yet-known", "no-scope"}  # these hide the other memories as well


def _others(subject: SubjectRef) -> None:
    for number, text in enumerate(("Likes green tea", "Plays chess", "Her cake goes with tea?")):
        stored = remember(subject, text, valid_from=LONG_AGO, occurred_at=LONG_AGO + number * DAY, speaker="Ann")
        embed(subject, stored.id, (1, number, 0.5))


def _ask(subject: SubjectRef, **asked: Any) -> Recall:
    return ask(subject, "Ann's tea in January 2020", meaning=meaning(1, 0.2, 0), explain=True, **asked)


@pytest.mark.parametrize("case", HIDDEN)
def test_recall__hidden_memory__is_not_found_and_shifts_no_score(acme, globex, case: str) -> None:
    stored, happens, asked = HIDDEN[case]
    ann, bob = person("ann"), person("bob")
    with scope(acme):
        _others(ann)
        _others(bob)
        memory = remember(ann, "Ann takes her tea with milk, much tea", speaker="Ann", thread_id="t", **stored)
        embed(ann, memory.id, (1, 0.2, 0.01))
        happens(memory)
        found, alone = _ask(ann, **asked), _ask(bob, **asked)
        assert memory.text not in texts(found)
        assert texts(found) == texts(alone)
        for one, other in zip(found.memories, alone.memories, strict=True):
            assert one.scores == pytest.approx(other.scores, abs=1e-9)
            assert one.score == pytest.approx(other.score, abs=1e-9)
        assert bool(found.memories) is (case not in SEEN_TOO)
        assert found.nothing_found == alone.nothing_found
    with scope(globex):
        assert _ask(ann, **asked).memories == ()


@pytest.mark.parametrize("case", HIDDEN)
def test_recall__memory_before_it_is_hidden__is_found(acme, case: str) -> None:
    """The cases above would notice: the same memory is the first answer to the same question without the hiding."""
    stored, _, _ = HIDDEN[case]
    ann = person("ann")
    with scope(acme):
        _others(ann)
        memory = remember(ann, "Ann takes her tea with milk, much tea", speaker="Ann", thread_id="t", **stored)
        embed(ann, memory.id, (1, 0.2, 0.01))
        asked = {"as_of": LONG_AGO + HOUR} if case == "no-longer-true" else {}
        assert (memory.text in texts(_ask(ann, **asked))) is True


def test_recall__superseded_by_a_newer_fact__is_found_as_of_its_time(acme, globex) -> None:
    ann = person("ann")
    with scope(acme):
        old = remember(ann, "lives in Berlin", valid_from=LONG_AGO)
        MemoryRow.objects.filter(pk=old.id).update(
            status="superseded", valid_to=LONG_AGO + 10 * DAY, retired_at=clock.now() - HOUR, recorded_at=LONG_AGO
        )
        assert texts(ask(ann, "lives")) == []
        assert texts(ask(ann, "lives", as_of=LONG_AGO + 9 * DAY)) == ["lives in Berlin"]
        assert texts(ask(ann, "lives", as_of=LONG_AGO + 10 * DAY)) == []
        # Before the newer fact was known, the old one was believed to go on.
        assert texts(ask(ann, "lives", known_at=LONG_AGO + 20 * DAY)) == ["lives in Berlin"]
    with scope(globex):
        assert texts(ask(ann, "lives", as_of=LONG_AGO + 9 * DAY)) == []


def test_recall__corrected__is_found_only_before_the_correction(acme, globex) -> None:
    ann = person("ann")
    with scope(acme):
        wrong = remember(ann, "lives in Bern", valid_from=LONG_AGO)
        MemoryRow.objects.filter(pk=wrong.id).update(
            status="superseded", corrected=True, retired_at=LONG_AGO + 5 * DAY, recorded_at=LONG_AGO
        )
        assert texts(ask(ann, "lives", as_of=LONG_AGO + DAY)) == []
        assert texts(ask(ann, "lives", known_at=LONG_AGO + 4 * DAY)) == ["lives in Bern"]
        assert texts(ask(ann, "lives", known_at=LONG_AGO + 5 * DAY)) == []
    with scope(globex):
        assert texts(ask(ann, "lives", known_at=LONG_AGO + 4 * DAY)) == []
