"""The recall cache: it saves work, and never serves what the database would not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.knowledge.memory import recall as module
from gateway.knowledge.memory import services
from gateway.knowledge.memory.cache import RecallCache
from gateway.knowledge.memory.types import Provenance, RecalledMemory
from tenants.context import scope
from tenants.types import OrgRef
from tests.knowledge.memory.support import ALICE, ask, person, remember, texts


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    module._cache.clear()
    yield
    module._cache.clear()


def test_recall__asked_twice__is_a_hit_with_the_same_answer(acme: OrgRef) -> None:
    with scope(acme):
        ann = person()
        remember(ann, "Likes tea")
        first, second = ask(ann, "tea"), ask(ann, "tea")
        assert (first.cache_hit, second.cache_hit) == (False, True)
        assert second.memories == first.memories
        assert ask(ann, "tea", k=5).cache_hit is False


def test_recall__after_a_write_or_a_forget__is_read_again(acme: OrgRef) -> None:
    with scope(acme):
        ann, bob = person("ann"), person("bob")
        memory = remember(ann, "Likes tea")
        remember(bob, "Likes tea")
        ask(ann, "tea")
        ask(bob, "tea")
        remember(ann, "Drinks tea at four")
        again = ask(ann, "tea")
        assert (again.cache_hit, sorted(texts(again))) == (False, ["Drinks tea at four", "Likes tea"])
        services.forget(memory.id, actor=ALICE)
        assert texts(ask(ann, "tea")) == ["Drinks tea at four"]
        assert ask(bob, "tea").cache_hit is True


def test_recall__entry_whose_memory_expires__is_read_again(acme: OrgRef, monkeypatch) -> None:
    with scope(acme):
        ann = person()
        remember(ann, "Likes tea", expires_at=clock.now() + timedelta(seconds=60))
        assert texts(ask(ann, "tea")) == ["Likes tea"]
        assert ask(ann, "tea").cache_hit is True
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr(clock, "now", lambda: later)
        expired = ask(ann, "tea")
        assert (texts(expired), expired.cache_hit) == ([], False)


def test_recall__inside_a_transaction__neither_fills_nor_uses_the_cache(acme: OrgRef) -> None:
    with scope(acme):
        ann = person()
        remember(ann, "Likes tea")
        with pytest.raises(RuntimeError), transaction.atomic():
            remember(ann, "Never committed tea")
            assert len(ask(ann, "tea").memories) == 2
            raise RuntimeError
        remember(ann, "Drinks tea at four")  # the same version as the write that was rolled back
        assert sorted(texts(ask(ann, "tea"))) == ["Drinks tea at four", "Likes tea"]
        assert not connection.in_atomic_block


def test_recall__same_subject_and_query_elsewhere__is_another_entry(acme: OrgRef, globex: OrgRef) -> None:
    ann = person()
    with scope(acme):
        remember(ann, "Likes tea")
        assert texts(ask(ann, "tea")) == ["Likes tea"]
    with scope(globex):
        remember(ann, "Hates tea")
        found = ask(ann, "tea")
        assert (texts(found), found.cache_hit) == (["Hates tea"], False)


def _one(text: str) -> tuple[RecalledMemory, ...]:
    return (RecalledMemory(ids.uuid7(), text, "fact", 1.0, 1.0, clock.now(), Provenance("chat"), "chat"),)


def test_cache__full__drops_the_least_recently_used() -> None:
    cache = RecallCache(entries=2)
    for key in ("a", "b"):
        cache.put(key, _one(key), 1)
    cache.get("a")
    cache.put("c", _one("c"), 1)
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]


def test_cache__characters__are_bounded_and_large_answers_are_not_kept() -> None:
    cache = RecallCache(characters=10_000)
    cache.put("large", _one("x" * 1_000), 1)
    assert cache.get("large") is None
    for n in range(40):
        cache.put(n, _one("x" * 700), 1)
    assert cache._characters <= 10_000
    assert len(cache._entries) == 11
    cache.put(39, _one("y"), 2)
    assert cache._characters == 10 * 900 + 201


def test_cache__older_than_its_time__is_dropped(monkeypatch) -> None:
    cache = RecallCache(ttl_s=0.0)
    cache.put("a", _one("a"), 1)
    assert cache.get("a") is None
    assert cache._characters == 0
