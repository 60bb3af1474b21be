"""Entries share the change's transaction, and hash the same before and after the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import Enum
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, Event, record
from gateway.core.plain import plain
from gateway.platform.audit import canonical, selectors, services
from gateway.platform.audit.types import AuditFilter, NotedEntry
from gateway.platform.events import selectors as events
from gateway.platform.events.errors import EventContractError
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.services import OutsideTransaction
from gateway.platform.outbox.types import Kind
from tenants.context import scope

KEY = Actor("key", "key_1")


def _listed(ref, **wanted):
    with scope(ref):
        return selectors.list_page(AuditFilter(**wanted), limit=200, after=None).data


def _noted(**changes):
    values = {"id": ids.uuid7(), "occurred_at": clock.now(), "action": "memory.read", "actor": KEY, "target": "mem_1"}
    return NotedEntry(**{**values, **changes})


def test_record__in_a_transaction__writes_entry_event_and_both_markers(acme, globex):
    request_id = ids.uuid7()
    change = Change(
        "persona.updated", KEY, "sage", subject_id="ana", persona_id="sage", request_id=request_id,
        provenance={"from": "chat", "confidence": 0.9}, detail={"version": 3},
    )  # fmt: skip
    with scope(acme), transaction.atomic():
        record(change, Event("persona.updated", {"persona_version": 3}, persona_id="sage"))
    (entry,) = _listed(acme)
    assert (entry.action, entry.actor, entry.target) == ("persona.updated", KEY, "sage")
    assert (entry.subject_id, entry.persona_id, entry.request_id) == ("ana", "sage", request_id)
    assert (entry.provenance, entry.detail) == ({"from": "chat", "confidence": 0.9}, {"version": 3})
    assert (entry.seq, entry.chain_hash, len(entry.content_hash)) == (None, None, 32)
    with scope(acme):
        (event,) = events.list_page(limit=10, after=None).data
    batch = connections["batch"]
    assert outbox.refs(batch, Kind.AUDIT, acme.id) == [entry.id]
    assert outbox.refs(batch, Kind.EVENT, acme.id) == [event.id]
    assert _listed(globex) == []


def test_record__outside_a_transaction__is_refused_and_writes_nothing(acme):
    with scope(acme), pytest.raises(OutsideTransaction):
        record(Change("persona.updated", KEY, "sage"))
    assert _listed(acme) == []


def test_record__event_breaks_its_contract__the_whole_change_is_undone(acme):
    with scope(acme), pytest.raises(EventContractError), transaction.atomic():
        record(Change("persona.updated", KEY, "sage"), Event("persona.dreamed", {}))
    assert _listed(acme) == []
    assert outbox.refs(connections["batch"], Kind.AUDIT, acme.id) == []


class _Colour(Enum):
    RED = "red"


def test_record__strange_values__are_stored_plain_and_verify(acme):
    when = datetime(2026, 11, 21, tzinfo=UTC)
    detail = {
        "id": UUID(int=7), "when": when, "colour": _Colour.RED, "tuple": (1, 2), "set": {"b", "a"}, "nul": "a\x00b",
        "surrogate": "\ud800", "nan": float("nan"), "zero": -0.0, "huge": 1e300, "big": 10**40, "#": 1,
        "##": {"#": "1e0"},
    }  # fmt: skip
    with scope(acme), transaction.atomic():
        record(Change("x.y", Actor("key", "k" * 500), "t\x00" * 400, subject_id="s\x00", detail=detail))
    with scope(acme):
        (entry,) = selectors.list_page(AuditFilter(), limit=1, after=None).data
        found = selectors.verify()
    assert entry.detail["when"] == "2026-11-21T00:00:00+00:00"
    assert (entry.detail["nul"], entry.detail["surrogate"], entry.detail["nan"]) == ("a\ufffdb", "?", "nan")
    assert (entry.detail["set"], entry.detail["tuple"], entry.detail["id"]) == (["a", "b"], [1, 2], str(UUID(int=7)))
    assert (entry.subject_id, len(entry.target), len(entry.actor.id)) == ("s\ufffd", 256, 128)
    assert (found.ok, found.unsealed, found.bad_unsealed) == (True, 1, 0)


def test_plain__a_value_without_a_form__is_refused():
    for bad in (object(), {1: "number as key"}, b"bytes"):
        with pytest.raises(TypeError):
            plain({"x": bad})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_JSON)
def test_content_hash__through_the_database_and_back__is_the_same(acme, value):
    stored = plain({"value": value})
    with scope(acme), connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(stored)])
        read = json.loads(cursor.fetchone()[0])
    entry = _noted(detail=stored)
    assert canonical.content_hash(entry) == canonical.content_hash(
        _noted(id=entry.id, occurred_at=entry.occurred_at, detail=read)
    )


def test_content_hash__any_field_changed__changes():
    entry = _noted(
        subject_id="ana", persona_id="sage", request_id=ids.uuid7(), provenance={"from": "x"}, detail={"n": 1}
    )
    changes = {
        "id": ids.uuid7(), "occurred_at": entry.occurred_at + timedelta(microseconds=1), "action": "memory.write",
        "actor": Actor("user", "key_1"), "target": "mem_2", "subject_id": "ben", "persona_id": None, "request_id": None,
        "provenance": None, "detail": {"n": 2},
    }  # fmt: skip
    before = {name: getattr(entry, name) for name in entry.__slots__}
    hashes = [canonical.content_hash(NotedEntry(**{**before, name: value})) for name, value in changes.items()]
    assert len({canonical.content_hash(entry), *hashes}) == 1 + len(changes)


def test_write_noted__delivered_twice__is_written_once_and_announced(acme, globex):
    entries = [_noted(subject_id="ana"), _noted(action="key.refused", actor=Actor("key", "key_9"))]
    for _ in range(2):
        with scope(acme):
            assert services.write_noted(entries) == 2
    assert [entry.id for entry in reversed(_listed(acme))] == sorted(entry.id for entry in entries)
    assert outbox.refs(connections["batch"], Kind.AUDIT, acme.id) == sorted(entry.id for entry in entries)
    assert _listed(globex) == []


def test_write_noted__nothing__does_nothing(acme):
    with scope(acme):
        assert services.write_noted([]) == 0
