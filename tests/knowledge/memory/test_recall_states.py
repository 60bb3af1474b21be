"""Whatever state a subject's memories are in, recall shows exactly those that may be seen: random states against a
second opinion in Python."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from gateway.core import clock
from gateway.knowledge.memory import services
from gateway.knowledge.memory.models import MemoryRow, SubjectState
from gateway.knowledge.subjects.types import SubjectRef
from tenants.context import scope
from tests.knowledge.memory.support import ALICE, ask, new, person
from tests.knowledge.memory.vectors import embed, meaning

DAY = timedelta(days=1)
SOURCES, TYPES, PERSONAS = ("chat", "gmail", "drive"), ("fact", "event"), (None, "sage", "vex")


@dataclass
class State:
    """What is stored of one memory, as the second opinion reads it."""

    id: UUID
    row: dict[str, Any]
    source: str
    type: str
    persona: str | None
    scope: str
    confidence: float


def _row(rng: random.Random, now: datetime) -> dict[str, Any]:
    """Any combination of the columns that hide, likely or not."""

    def moment(chance: float) -> datetime | None:
        return now + rng.choice((-30, -20, -10, -1, 1, 10)) * DAY if rng.random() < chance else None

    status = rng.choice(("active",) * 6 + ("superseded",) * 3 + ("silenced", "forgotten"))
    return {
        "status": status,
        "hidden": rng.random() < 0.1,
        "corrected": status == "superseded" and rng.random() < 0.3,
        "recorded_at": now - rng.choice((40, 25, 15, 0)) * DAY,
        "retired_at": moment(0.9 if status == "superseded" else 0.05),
        "valid_from": moment(0.5),
        "valid_to": moment(0.8 if status == "superseded" else 0.2),
        "expires_at": moment(0.1),
    }


def _remember(rng: random.Random, subject: SubjectRef, count: int, now: datetime) -> list[State]:
    chosen = [
        (rng.choice(SOURCES), rng.choice(TYPES), rng.choice(PERSONAS), rng.choice(("private", "shared")), rng.random())
        for _ in range(count)
    ]
    results = services.create_many(
        [
            (
                subject,
                new(
                    f"tea number {number} of {subject.id}", source=source, type=kind, persona_id=persona, scope=seen_by,
                    confidence=confidence, speaker=rng.choice(("Ann", "Bob")), thread_id=rng.choice(("a", "b", None)),
                ),
            )
            for number, (source, kind, persona, seen_by, confidence) in enumerate(chosen)
        ],
        actor=ALICE, limit_per_subject=None,
    )  # fmt: skip
    states = []
    for result, fields in zip(results, chosen, strict=True):
        row = _row(rng, now)
        MemoryRow.objects.filter(pk=result.stored).update(**row)
        if rng.random() < 0.8:
            embed(subject, result.stored, [rng.random() + 0.1 for _ in range(3)])
        states.append(State(result.stored, row, *fields))
    return states


def _visible(one: State, asked: dict[str, Any], revoked: list[str], now: datetime) -> bool:
    row, known_at = one.row, asked.get("known_at")
    as_of = asked.get("as_of") or known_at or now
    if row["status"] not in {"active", "superseded"} or row["hidden"] or one.source in revoked:
        return False
    if row["expires_at"] is not None and row["expires_at"] <= now:
        return False
    if known_at is not None and row["recorded_at"] > known_at:
        return False
    believed = row["retired_at"] is None or (known_at is not None and row["retired_at"] > known_at)
    closed = row["status"] == "superseded" and not row["corrected"] and row["valid_to"] is not None
    if not (believed or closed):
        return False
    if row["valid_from"] is not None and row["valid_from"] > as_of:
        return False
    went_on = row["status"] == "superseded" and row["retired_at"] is not None and believed
    if row["valid_to"] is not None and row["valid_to"] <= as_of and not went_on:
        return False
    return _asked_for(one, asked)


def _asked_for(one: State, asked: dict[str, Any]) -> bool:
    if one.source not in asked.get("memory_scopes", SOURCES) or one.type not in asked.get("types", TYPES):
        return False
    told = one.persona is not None and one.scope == "private"
    if told and one.persona not in asked.get("personas", PERSONAS):
        return False
    return one.confidence >= asked.get("min_confidence", 0.0)


def _question(rng: random.Random, now: datetime) -> dict[str, Any]:
    whole = {
        "memory_scopes": tuple(rng.sample(SOURCES, rng.randint(1, 3))),
        "types": (rng.choice(TYPES),),
        "personas": (rng.choice(("sage", "vex")),),
        "min_confidence": rng.choice((0.2, 0.5)),
        "as_of": now - rng.choice((5, 15, 35)) * DAY,
        "known_at": now - rng.choice((5, 18, 35)) * DAY,
    }
    return {name: value for name, value in whole.items() if rng.random() < 0.3}


@pytest.mark.parametrize("seed", range(5))
def test_recall__random_states__shows_exactly_what_may_be_seen(acme, globex, seed: int) -> None:
    rng, now = random.Random(seed), clock.now()
    ann, bob = person("ann"), person("bob")
    seen = 0
    with scope(acme):
        states, others = _remember(rng, ann, 60, now), _remember(rng, bob, 5, now)
        revoked = rng.sample(SOURCES, rng.randint(0, 1))
        SubjectState.objects.filter(pk=ann.pk).update(revoked=revoked)
        for _ in range(12):
            asked = _question(rng, now)
            vector = meaning(1, 0.2, 0.1) if rng.random() < 0.7 else None
            found = {one.id for one in ask(ann, "Which tea?", k=100, meaning=vector, **asked).memories}
            expected = {one.id for one in states if _visible(one, asked, revoked, now)}
            assert found == expected, asked
            assert not found & {one.id for one in others}
            seen += len(expected)
    assert seen > 50  # the states are not all hidden
    with scope(globex):
        assert ask(ann, "Which tea?", k=100, meaning=meaning(1, 0.2, 0.1)).memories == ()
