"""Recall: what is found and in which order, and everything that hides a memory."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.core import clock
from gateway.knowledge.memory.errors import InvalidMemory
from gateway.knowledge.memory.models import MemoryRow
from gateway.knowledge.memory.recall_statement import K1, B
from tenants.context import scope
from tests.knowledge.memory.support import ask, person, remember, texts

DAY = timedelta(days=1)


@pytest.fixture
def inside(acme):
    with scope(acme):
        yield acme


def test_recall__words_in_other_forms__finds_the_memory_with_its_source(inside) -> None:
    ann = person()
    remember(ann, "She is allergic to peanuts", source="gmail", ref="msg_7", snippet="peanut allergy", confidence=0.9)
    remember(ann, "Plays chess on Sundays")
    (found,) = ask(ann, "Which peanut allergies does she have?", explain=True).memories
    assert (found.text, found.type, found.memory_scope) == ("She is allergic to peanuts", "fact", "gmail")
    assert found.provenance.source == "gmail"
    assert (found.uri, found.provenance.snippet, found.confidence) == ("gmail://msg_7", "peanut allergy", 0.9)
    assert 0 < found.score < 1
    assert found.scores is not None
    assert found.scores["lexical"] > 0
    assert 0 < found.scores["coverage"] < 1
    assert found.scores["confidence"] == pytest.approx(math.sqrt(0.9))
    assert "dense" not in found.scores


def test_recall__source_without_reference__is_cited_by_the_memory(inside) -> None:
    ann = person()
    memory = remember(ann, "Likes tea")
    (found,) = ask(ann, "tea").memories
    assert found.uri == f"memory://{memory.public_id}"
    assert found.scores is None


def test_recall__several_memories__are_ranked_by_bm25(inside) -> None:
    ann = person()
    for text in ("tea tea tea", "tea and coffee and cake and scones", "coffee", "green tea"):
        remember(ann, text)
    found = ask(ann, "tea", explain=True).memories
    assert [memory.text for memory in found] == ["tea tea tea", "green tea", "tea and coffee and cake and scones"]
    # n=4 memories, df=3; token counts without stop words: 3, 4, 1, 2
    idf, average = math.log(1 + (4 - 3 + 0.5) / (3 + 0.5)), (3 + 4 + 1 + 2) / 4
    expected = [idf * tf * (1 + K1) / (tf + K1 * (1 - B + B * n / average)) for tf, n in ((3, 3), (1, 2), (1, 4))]
    assert [(memory.scores or {})["lexical"] for memory in found] == pytest.approx(expected)


def test_recall__k__cuts_the_best(inside) -> None:
    ann = person()
    for n in range(7):
        remember(ann, f"tea number {n}")
    assert len(ask(ann, "tea", k=3).memories) == 3


@pytest.mark.parametrize(
    "query", ["", "the of and", "zebra", "\0", "\ud800", "'; DROP TABLE memory; --", "%s %(k)s {k}", "🙂"]
)
def test_recall__nothing_to_find__is_empty(inside, query) -> None:
    ann = person()
    remember(ann, "Likes tea")
    found = ask(ann, query)
    assert (found.memories, found.cache_hit, found.degraded, found.version) == ((), False, False, 1)


def test_recall__very_long_query__looks_at_its_beginning(inside) -> None:
    ann = person()
    remember(ann, "Likes tea")
    assert texts(ask(ann, "tea " + "x" * 1_000_000)) == ["Likes tea"]
    assert texts(ask(ann, "x " * 2_000 + "tea")) == []


def test_recall__person_without_memories__is_empty(inside) -> None:
    assert ask(person(), "tea").memories == ()
    assert ask(person(), "tea").version == 0


def test_recall__other_subject_and_other_organization__are_never_seen(acme, globex) -> None:
    ann, bob = person("ann"), person("bob")
    with scope(acme):
        remember(ann, "Likes tea")
        remember(bob, "Hates tea")
        assert texts(ask(ann, "tea")) == ["Likes tea"]
    with scope(globex):
        assert texts(ask(ann, "tea")) == []


def test_recall__memory_scopes_types_and_confidence__narrow(inside) -> None:
    ann = person()
    remember(ann, "tea in mail", source="gmail", type="event", confidence=0.4)
    remember(ann, "tea in chat", source="chat", type="preference", confidence=0.9)
    assert texts(ask(ann, "tea", memory_scopes=("gmail",))) == ["tea in mail"]
    assert texts(ask(ann, "tea", memory_scopes=())) == []
    assert texts(ask(ann, "tea", types=("preference",))) == ["tea in chat"]
    assert texts(ask(ann, "tea", min_confidence=0.5)) == ["tea in chat"]
    assert len(ask(ann, "tea", memory_scopes=("gmail", "chat")).memories) == 2


def test_recall__private_memory_of_another_persona__is_hidden_and_shared_is_not(inside) -> None:
    ann = person()
    remember(ann, "tea told to sage", persona_id="sage")
    remember(ann, "tea shared by sage", persona_id="sage", scope="shared")
    remember(ann, "tea for all")
    assert sorted(texts(ask(ann, "tea", personas=("vex",)))) == ["tea for all", "tea shared by sage"]
    assert len(ask(ann, "tea", personas=("sage",)).memories) == 3
    assert len(ask(ann, "tea").memories) == 3


def test_recall__validity__follows_as_of(inside) -> None:
    ann = person()
    spring, summer = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
    remember(ann, "lives in Berlin", valid_from=spring, valid_to=summer)
    remember(ann, "lives in Rome", valid_from=summer)
    assert texts(ask(ann, "lives")) == ["lives in Rome"]
    assert texts(ask(ann, "lives", as_of=spring + DAY)) == ["lives in Berlin"]
    assert texts(ask(ann, "lives", as_of=spring - DAY)) == []
    assert texts(ask(ann, "lives", as_of=summer)) == ["lives in Rome"]


def test_recall__knowledge__follows_known_at(inside) -> None:
    ann = person()
    memory = remember(ann, "lives in Berlin", occurred_at=datetime(2020, 1, 1, tzinfo=UTC))
    before = clock.now() - DAY
    assert texts(ask(ann, "lives", known_at=before)) == []
    MemoryRow.objects.filter(pk=memory.id).update(
        status="superseded", recorded_at=before - DAY, retired_at=clock.now() - timedelta(hours=1)
    )
    assert texts(ask(ann, "lives")) == []
    assert texts(ask(ann, "lives", known_at=before)) == ["lives in Berlin"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"k": 0}, "#/k"),
        ({"k": 101}, "#/k"),
        ({"types": ("fact", "poem")}, "#/types/1"),
        ({"min_confidence": 1.1}, "#/min_confidence"),
        ({"as_of": datetime(2999, 1, 1, tzinfo=UTC)}, "#/as_of"),
        ({"known_at": datetime(2999, 1, 1, tzinfo=UTC)}, "#/known_at"),
        ({"as_of": datetime(2020, 1, 1)}, "#/as_of"),
    ],
)
def test_recall__bad_field__is_named(inside, fields, pointer) -> None:
    with pytest.raises(InvalidMemory) as refused:
        ask(person(), "tea", **fields)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_recall__cold__is_one_statement(inside) -> None:
    ann = person()
    remember(ann, "Likes tea")
    with CaptureQueriesContext(connection) as captured:
        ask(ann, "tea")
    assert len(captured) == 1
