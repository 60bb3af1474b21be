"""The recall cache: it saves work, and never serves what the database would not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from gateway.core import clock, ids
from gateway.knowledge.memory import recall as module
from gateway.knowledge.memory import services
from gateway.knowledge.memory.cache import Entry, RecallCache
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, Provenance, Recall, RecalledMemory, RecallQuery
from tenants.context import scope
from tenants.types import OrgRef
from tests.factories.threads import at_once
from tests.knowledge.memory.support import ALICE, ask, person, remember, texts
from tests.knowledge.memory.vectors import embed, meaning


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


def test_recall__organization_knowledge_changes__is_read_again(acme: OrgRef) -> None:
    ann = person("ann")
    with scope(acme):
        remember(ann, "Likes tea")
        remember(ORG_KNOWLEDGE, "Tea is served at four", source="org_kb", scope="org", type="doc")
        assert (len(ask(ann, "tea").memories), ask(ann, "tea").cache_hit) == (2, True)
        assert texts(ask(ann, "tea", memory_scopes=("chat",))) == ["Likes tea"]
        remember(ORG_KNOWLEDGE, "Tea is served at five", source="org_kb", scope="org", type="doc")
        again = ask(ann, "tea")
        assert (len(again.memories), again.cache_hit) == (3, False)
        assert ask(ann, "tea", memory_scopes=("chat",)).cache_hit is True


def test_recall__found_without_a_meaning__is_read_again_with_one(acme: OrgRef) -> None:
    ann = person("ann")
    with scope(acme):
        embed(ann, remember(ann, "Likes tea").id, (1, 0, 0))
        first = ask(ann, "tea", meaning_expected=True)
        assert (first.degraded, first.cache_hit) == (True, False)
        assert ask(ann, "tea", meaning_expected=True).cache_hit is True
        better = ask(ann, "tea", meaning=meaning(1, 0, 0), meaning_expected=True)
        assert (better.degraded, better.cache_hit) == (False, False)
        # What was found with a meaning serves who has none, and is not degraded.
        late = ask(ann, "tea", meaning_expected=True)
        assert (late.degraded, late.cache_hit, late.memories) == (False, True, better.memories)
        assert ask(ann, "tea", meaning=meaning(1, 0, 0, model="test/other")).cache_hit is False


def test_recall__memory_without_its_embedding__is_read_again_soon(acme: OrgRef, monkeypatch) -> None:
    ann = person("ann")
    with scope(acme):
        memory = remember(ann, "Likes tea")
        assert ask(ann, "tea", meaning=meaning(1, 0, 0)).cache_hit is False
        assert ask(ann, "tea", meaning=meaning(1, 0, 0)).cache_hit is True
        embed(ann, memory.id, (1, 0, 0))  # raises no version
        monkeypatch.setattr(module, "_PARTIAL_S", 0.0)
        assert ask(ann, "tea", meaning=meaning(1, 0, 0)).cache_hit is False
        assert ask(ann, "tea", meaning=meaning(1, 0, 0)).cache_hit is True


def test_recall__asked_by_many_at_once__is_searched_once(acme: OrgRef, monkeypatch) -> None:
    ann = person("ann")
    with scope(acme):
        remember(ann, "Likes tea")
    searches, real = [], module._search
    everyone = threading.Barrier(4, timeout=30)

    def counted(query: RecallQuery, now: datetime) -> Entry:
        searches.append(query)
        return real(query, now)

    def asked() -> Recall:
        everyone.wait()
        return ask(ann, "tea")

    monkeypatch.setattr(module, "_search", counted)
    monkeypatch.setattr(module, "_FLIGHT_S", 60.0)
    found = at_once(acme, [asked for _ in range(4)])
    assert [texts(one) for one in found] == [["Likes tea"]] * 4
    assert (len(searches), sorted(one.cache_hit for one in found)) == (1, [False, True, True, True])
    assert module._cache._flights == {}


def _entry(text: str) -> Entry:
    memory = RecalledMemory(ids.uuid7(), text, "fact", 1.0, 1.0, clock.now(), Provenance("chat"), "chat")
    return Entry((memory,), (1, None), nothing_found=False, model_id=None)


def test_cache__full__drops_the_least_recently_used() -> None:
    cache = RecallCache(entries=2)
    for key in ("a", "b"):
        cache.put(key, _entry(key))
    cache.get("a")
    cache.put("c", _entry("c"))
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]


def test_cache__characters__are_bounded_and_large_answers_are_not_kept() -> None:
    cache = RecallCache(characters=10_000)
    cache.put("large", _entry("x" * 1_000))
    assert cache.get("large") is None
    for n in range(40):
        cache.put(n, _entry("x" * 700))
    assert cache._characters <= 10_000
    assert len(cache._entries) == 11
    cache.put(39, _entry("y"))
    assert cache._characters == 10 * 900 + 201


def test_cache__older_than_its_time__is_dropped() -> None:
    cache = RecallCache(ttl_s=0.0)
    cache.put("a", _entry("a"))
    assert cache.get("a") is None
    assert cache._characters == 0


def test_flight__leader_too_slow__is_not_waited_for_longer() -> None:
    cache = RecallCache()
    with cache.flight("a", 0.0) as waited:
        assert waited is False
        with cache.flight("a", 0.01) as second:
            assert second is True
        with cache.flight("b", 0.0) as other:
            assert other is False
    assert cache._flights == {}
