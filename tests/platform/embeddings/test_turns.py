"""Whose memories are embedded next: two organizations at a time, in turn, and none again and again that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction

from gateway.core.valkey import sync_client
from gateway.knowledge.memory import embedding
from gateway.platform.embeddings import turns
from gateway.platform.embeddings.turns import Turns
from tenants.context import scope
from tenants.types import OrgRef
from tests.factories.organizations import new_organization, remove
from tests.harness import free_port


@pytest.fixture(autouse=True)
def store(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Turns of the test's own: a running scheduler keeps others."""
    monkeypatch.setattr(turns, "_TURNS", "test:embeddings:turns")
    client = sync_client(settings.IKIRO_REDIS_URL)
    client.delete("test:embeddings:turns")
    yield client
    client.delete("test:embeddings:turns")


def mark(*refs: OrgRef) -> None:
    for ref in refs:
        with scope(ref), transaction.atomic():
            embedding.wanted([ref.id])


def due(of: Turns, mine: tuple[OrgRef, ...]) -> list[OrgRef]:
    """Those of the test's organizations that got a turn; turns of others are given back."""
    given = of.due(connections["batch"])
    for ref in given:
        if ref not in mine:
            turns.over(ref.id)
    return [ref for ref in given if ref in mine]


@pytest.fixture
def others(acme: OrgRef, globex: OrgRef) -> Iterator[tuple[OrgRef, ...]]:
    initech = new_organization("initech")
    mine = (acme, globex, initech)
    with connections["batch"].cursor() as cursor:  # what earlier tests left for a scheduler that is not there
        cursor.execute("DELETE FROM public.outbox_marker WHERE kind = 'embedding'")
    yield mine
    for ref in mine:
        turns.resume(ref.id)
    remove(initech)


def test_turns__more_organizations_than_places__come_one_after_the_other(others: tuple[OrgRef, ...]) -> None:
    mark(*others)
    hands = Turns()
    first = due(hands, others)
    assert len(first) == 2
    assert due(hands, others) == []
    turns.over(first[0].id)
    (third,) = due(hands, others)
    assert {*first, third} == set(others)
    for ref in others:
        turns.over(ref.id)
    hands.due(connections["batch"])
    assert len(due(Turns(), others)) == 0  # both places are taken again, by whoever began anew


def test_turns__nothing_marked__gives_none(others: tuple[OrgRef, ...]) -> None:
    assert due(Turns(), others) == []


def test_turns__one_that_fails__is_left_out_for_longer_each_time(others: tuple[OrgRef, ...], store: Any) -> None:
    acme, globex, _ = others
    mark(acme, globex)
    assert [turns.pause(acme.id, "mine/small", "upstream_error") for _ in range(3)] == [1, 2, 3]
    assert 15 < store.ttl(turns._pause(acme.id)) <= 20
    assert due(Turns(), others) == [globex]
    for _ in range(10):
        turns.pause(acme.id, "mine/small", "upstream_error")
    assert 590 < store.ttl(turns._pause(acme.id)) <= 600
    turns.over(globex.id)
    turns.resume(acme.id)
    assert set(due(Turns(), others)) == {acme, globex}
    assert turns.pause(acme.id, "mine/small", "upstream_error") == 1


def test_turns__one_that_fails__says_why_until_it_does_not(others: tuple[OrgRef, ...]) -> None:
    acme, globex, _ = others
    assert turns.failing(acme.id, "mine/small") is None
    turns.pause(acme.id, "mine/small", "upstream_error")
    assert turns.failing(acme.id, "mine/small") == "upstream_error"
    assert turns.failing(acme.id, "mine/large") is None  # a model chosen since has not failed yet
    assert turns.failing(globex.id, "mine/small") is None
    turns.resume(acme.id)
    assert turns.failing(acme.id, "mine/small") is None


def test_turns__store_away__nobody_can_tell_why(others: tuple[OrgRef, ...], settings: Any) -> None:
    turns.pause(others[0].id, "mine/small", "upstream_error")
    there, settings.IKIRO_REDIS_URL = settings.IKIRO_REDIS_URL, f"redis://127.0.0.1:{free_port()}/0"
    assert turns.failing(others[0].id, "mine/small") is None
    settings.IKIRO_REDIS_URL = there
    assert turns.failing(others[0].id, "mine/small") == "upstream_error"


def test_turns__a_worker_that_died__loses_its_place_in_the_end(
    others: tuple[OrgRef, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(*others[:2])
    monkeypatch.setattr(turns, "_TURN_MS", 0)
    hands = Turns()
    assert len(due(hands, others)) == 2
    monkeypatch.setattr(turns.time, "time", lambda before=turns.time.time: before() + 1)
    assert len(due(hands, others)) == 2
