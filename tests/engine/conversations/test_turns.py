"""What conversations keep of what was said: once per request, sealed, for as long as the organization wants."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection

from gateway.core import clock, ids
from gateway.core.crypto import Unreadable
from gateway.core.journal import Actor
from gateway.engine.conversations import selectors, services
from tenants import services as tenants
from tenants.context import scope
from tenants.types import OrgRef

_OWNER = Actor("operator", "test")
pytestmark = pytest.mark.django_db


def _begun(subject_pk: UUID | None = None) -> UUID:
    return services.begin(subject_pk=subject_pk or ids.uuid7(), persona_id="brand-default", persona_version=1).id


def _said(conversation_id: UUID, request_id: UUID | None = None, question: str = "Tea or coffee?", **options) -> bool:
    return services.append_turn(
        conversation_id,
        request_id=request_id or ids.uuid7(),
        question=question,
        answer="You like green tea.",
        persona_version=1,
        model="ikiro/sandbox",
        citations=[{"id": "mem_1", "text": "green tea"}],
        **options,
    )


def test_append_turn__same_request_twice__is_stored_once(acme: OrgRef, globex: OrgRef) -> None:
    request_id = ids.uuid7()
    with scope(acme):
        conversation = _begun()
        assert [_said(conversation, request_id), _said(conversation, request_id)] == [True, False]
        entry = selectors.get(conversation)
        (turn,) = selectors.turns(conversation, limit=10).data
    assert (entry.turns, entry.last_at) == (1, turn.at)
    assert (turn.request_id, turn.question, turn.answer) == (request_id, "Tea or coffee?", "You like green tea.")
    assert turn.citations == ({"id": "mem_1", "text": "green tea"},)
    with scope(globex):
        assert not selectors.turns(conversation, limit=10).data


def test_append_turn__stored__is_not_in_the_clear(acme: OrgRef) -> None:
    with scope(acme):
        conversation = _begun()
        _said(conversation, question="the word xylophone")
        with connection.cursor() as cursor:
            cursor.execute("SELECT said_ciphertext FROM conversation_turn WHERE conversation_id = %s", [conversation])
            (sealed,) = cursor.fetchone()
    assert b"xylophone" not in bytes(sealed)


def test_append_turn__row_copied_to_another_organization__does_not_open(acme: OrgRef, globex: OrgRef) -> None:
    with scope(acme):
        conversation = _begun()
        _said(conversation)
    with connection.cursor() as cursor:
        for table in ("conversation", "conversation_turn"):
            cursor.execute(f'INSERT INTO "{globex.schema}".{table} SELECT * FROM "{acme.schema}".{table}')
    with scope(globex), pytest.raises(Unreadable):
        selectors.turns(conversation, limit=10)


def test_append_turn__organization_keeps_none__moves_the_conversation_on_alone(acme: OrgRef, globex: OrgRef) -> None:
    tenants.settings_change(acme, actor=_OWNER, conversation_retention_days=0)
    kept = {}
    for ref in (acme, globex):
        with scope(ref):
            conversation = _begun()
            stored = _said(conversation)
            entry = selectors.get(conversation)
            kept[ref] = (stored, entry.turns, entry.last_at is not None)
    assert kept == {acme: (False, 0, True), globex: (True, 1, True)}


def test_append_turn__conversation_deleted_meanwhile__stores_nothing(acme: OrgRef) -> None:
    with scope(acme):
        conversation = _begun()
        assert services.delete(selectors.get(conversation), subject_id="s", actor=_OWNER) is True
        assert _said(conversation) is False
        assert not selectors.turns(conversation, limit=10).data


def test_retain__turn_older_than_the_choice__goes_and_the_newer_stays(acme: OrgRef, monkeypatch) -> None:
    now = clock.now()
    with scope(acme):
        conversation = _begun()
        _said(conversation, question="a policy keeps this for a day", retention_days=1)
        _said(conversation, question="kept")
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=2))
        assert services.retain(days=90) is False
        assert [turn.question for turn in selectors.turns(conversation, limit=10).data] == ["kept"]
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=91))
        assert services.retain(days=90) is False
        assert not selectors.turns(conversation, limit=10).data


def test_retain__silent_conversation_without_turns__goes_after_a_month(acme: OrgRef, monkeypatch) -> None:
    now = clock.now()
    with scope(acme):
        conversation = _begun()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=29))
        services.retain(days=7)
        assert conversation in _ids()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=31))
        services.retain(days=7)
        assert conversation not in _ids()


def test_erase__subject_of_many__takes_its_conversations_and_no_other(acme: OrgRef, globex: OrgRef) -> None:
    subject, other = ids.uuid7(), ids.uuid7()
    with scope(globex):
        elsewhere = _begun(subject)
    with scope(acme):
        kept, _ = _begun(other), [_said(_begun(subject)) for _ in range(3)]
        assert services.erase(subject) == {"conversations": 3, "turns": 3}
        assert services.erase(subject) == {"conversations": 0, "turns": 0}
        assert (selectors.count(subject), selectors.count(other)) == (0, 1)
        assert selectors.get(kept).subject_pk == other
    with scope(globex):
        assert selectors.get(elsewhere).subject_pk == subject


def _all() -> selectors.ConversationFilter:
    return selectors.ConversationFilter()


def _ids() -> set[UUID]:
    return {entry.id for entry in selectors.search(_all(), limit=200).data}
