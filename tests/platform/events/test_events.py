"""Events keep their contract and share the change's transaction."""

from __future__ import annotations

import pytest
from django.db import connections, transaction

from gateway.core import ids
from gateway.core.journal import Event
from gateway.platform.events import catalogue, selectors, services
from gateway.platform.events.errors import EventContractError
from gateway.platform.events.types import ENVELOPE
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants.context import scope
from tests.factories.organizations import principal


def _deleted(subject="ana", persona="sage"):
    payload = {"memory_id": ids.public("mem", ids.uuid7()), "reason": "asked"}
    return Event("memory.deleted", payload, subject_id=subject, persona_id=persona)


def _emit(ref, *events):
    with scope(ref), transaction.atomic():
        services.emit(events)


def _all(ref, **wanted):
    with scope(ref):
        return selectors.list_page(limit=50, after=None, **wanted).data


def test_emit__known_events__rows_and_markers_in_one_organization_only(acme, globex):
    first, second = _deleted("ana"), _deleted("ben")
    _emit(acme, first, second)
    stored = _all(acme)
    assert [(view.name, view.version, view.payload, view.subject_id) for view in reversed(stored)] == [
        ("memory.deleted", 1, first.payload, "ana"),
        ("memory.deleted", 1, second.payload, "ben"),
    ]
    assert outbox.refs(connections["batch"], Kind.EVENT, acme.id) == sorted(view.id for view in stored)
    assert _all(globex) == []
    assert outbox.refs(connections["batch"], Kind.EVENT, globex.id) == []


def test_emit__transaction_rolls_back__neither_row_nor_marker(acme):
    with scope(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
        services.emit([_deleted()])
        raise ZeroDivisionError
    assert _all(acme) == []
    assert outbox.refs(connections["batch"], Kind.EVENT, acme.id) == []


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (Event("memory.dreamed", {}), "memory.dreamed version 1 is not in"),
        (Event("memory.deleted", {"memory_id": ids.public("mem", ids.uuid7())}, version=2), "version 2 is not in"),
        (Event("memory.deleted", {}), "'memory_id' is a required property"),
        (Event("memory.deleted", {"memory_id": "prop_" + "0" * 26}), "does not match"),
        (Event("memory.deleted", {"memory_id": "mem_" + "0" * 26, "text": "secret"}), "Additional properties"),
    ],
)
def test_emit__outside_the_contract__raises_and_writes_nothing(acme, event, complaint):
    with scope(acme), transaction.atomic(), pytest.raises(EventContractError, match=complaint):
        services.emit([_deleted(), event])
    assert _all(acme) == []


def test_catalogue__every_payload__leaves_the_envelope_alone():
    for (name, version), schema in catalogue.SCHEMAS.items():
        assert not ENVELOPE & set(schema["properties"]), (name, version)


def test_catalogue__the_seeds_events__are_all_there():
    seeds = {"proposal.created", "write.approved", "write.rejected", "write.failed", "ingestion.error"}
    seeds |= {"persona.updated", "memory.created", "memory.deleted"}
    assert seeds <= {name for name, version in catalogue.SCHEMAS if version == 1}


def test_body__of_an_event__is_flat_with_the_envelope_first(acme):
    event = _deleted()
    _emit(acme, event)
    (view,) = _all(acme)
    assert view.body() == {
        "id": view.public_id,
        "type": "memory.deleted",
        "version": 1,
        "created_at": view.created_at.isoformat(),
        "subject_id": "ana",
        "persona_id": "sage",
        **event.payload,
    }


def test_list_page__scoped_key_and_name__filters_and_pages(acme):
    for subject in ("ana", "ben", "ana"):
        _emit(acme, _deleted(subject))
    _emit(acme, Event("persona.updated", {"persona_version": 2}, persona_id="sage"))
    scoped = principal(acme, subject_ids=("ana",))
    assert [view.subject_id for view in _all(acme, principal=scoped)] == ["ana", "ana"]
    assert [view.name for view in _all(acme, name="persona.updated")] == ["persona.updated"]
    with scope(acme):
        first = selectors.list_page(limit=3, after=None)
        rest = selectors.list_page(limit=3, after=first.data[-1].id)
    assert (len(first.data), first.next_cursor is not None) == (3, True)
    assert (len(rest.data), rest.next_cursor) == (1, None)
