"""Kept bodies in the table: sealed, once, of one organization, until they expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from gateway.core import clock, crypto, ids
from gateway.core.journal import SYSTEM
from gateway.governance.policies import services as overlays
from gateway.governance.policies.types import Fields, Level, Retention
from gateway.platform.requests import bounds, selectors, services
from gateway.platform.requests.models import BodyRow
from gateway.platform.requests.types import BodyDraft, Part
from tenants.context import scope


def a_draft(request_id, part=Part.REQUEST, text="what was said"):
    return BodyDraft(request_id, part, "/v1/chat", "application/json", text, len(text), truncated=False)


def _store(ref, *drafts, days=7):
    with scope(ref):
        return services.store_bodies(drafts, days=days)


def test_store_bodies__twice__are_there_once_and_sealed(acme, globex):
    request_id = ids.uuid7()
    _store(acme, a_draft(request_id), a_draft(request_id, Part.RESPONSE, "what was answered"))
    _store(acme, a_draft(request_id, text="another"))
    with scope(acme):
        assert [one.text for one in selectors.bodies(request_id)] == ["what was said", "what was answered"]
        assert selectors.parts(request_id) == ("request", "response")
        assert selectors.body(request_id, Part.RESPONSE).text == "what was answered"
        with connection.cursor() as cursor:
            cursor.execute("SELECT string_agg(request_body::text, ' ') FROM request_body")
            assert "said" not in cursor.fetchone()[0]
    with scope(globex):
        assert selectors.bodies(request_id) == ()
        assert selectors.parts(request_id) == ()


def test_bodies__copied_to_another_row__do_not_open(acme):
    request_id, other = ids.uuid7(), ids.uuid7()
    _store(acme, a_draft(request_id), a_draft(other))
    with scope(acme):
        theirs = BodyRow.objects.get(request_id=request_id)
        BodyRow.objects.filter(request_id=other).update(body_ciphertext=theirs.body_ciphertext)
        with pytest.raises(crypto.Unreadable):
            selectors.bodies(other)


def test_retain__expired_shortened_or_switched_off__are_deleted(acme):
    gone, kept = ids.uuid7(), ids.uuid7()
    _store(acme, a_draft(gone), days=0)
    _store(acme, a_draft(kept), days=7)
    with scope(acme):
        assert selectors.parts(gone) == ()
        services.retain(record_days=90, body_days=7)
        assert list(BodyRow.objects.values_list("request_id", flat=True)) == [kept]
        BodyRow.objects.update(id=ids.uuid7_at(1_700_000_000_000, 1))  # made long ago, promised for longer
        services.retain(record_days=90, body_days=3)
        assert BodyRow.objects.count() == 0
    _store(acme, a_draft(kept))
    with scope(acme):
        services.retain(record_days=90, body_days=None)
        assert BodyRow.objects.count() == 0


@pytest.mark.parametrize(("level", "target"), [(Level.ORG, ""), (Level.USER, "ann")])
def test_retain__lock_written_later__ends_what_it_covers_and_no_more(acme, globex, level, target):
    """Two days old, kept for seven; the lock says one, the default (which suggests) none at all."""
    made = int((clock.now() - timedelta(days=2)).timestamp() * 1000)
    locks, defaults = Fields(retention=Retention(body_days=1)), Fields(retention=Retention(body_days=0))
    for ref in (acme, globex):
        for number, subject in enumerate(("ann", "bob", None)):
            request_id = ids.uuid7()
            _store(ref, replace(a_draft(request_id), subject_id=subject))
            with scope(ref):
                BodyRow.objects.filter(request_id=request_id).update(id=ids.uuid7_at(made, number))
        _store(ref, replace(a_draft(ids.uuid7()), subject_id="ann"))  # of today
        with scope(ref):
            overlays.put_overlay(level=level, target=target, locks=Fields(), defaults=defaults, actor=SYSTEM)
            services.retain(record_days=90, body_days=7, bounds=bounds.now())
            assert BodyRow.objects.count() == 4
    with scope(acme):
        overlays.put_overlay(level=level, target=target, locks=locks, defaults=defaults, actor=SYSTEM)
        services.retain(record_days=90, body_days=7, bounds=bounds.now())
        left = [None, "ann", "bob"] if level is Level.USER else ["ann"]
        assert sorted(BodyRow.objects.values_list("subject_id", flat=True), key=str) == sorted(left, key=str)
    with scope(globex):
        services.retain(record_days=90, body_days=7, bounds=bounds.now())
        assert BodyRow.objects.count() == 4


def test_reseal__another_active_key__moves_every_body_and_opens_none(acme, settings):
    request_id = ids.uuid7()
    _store(acme, a_draft(request_id))
    ring = settings.IKIRO_KEYRING
    settings.IKIRO_KEYRING = {"active": "next", "keys": {**ring["keys"], "next": "A" * 43 + "="}}
    with scope(acme):
        assert services.reseal(limit=1).changed == 1
        assert services.reseal(limit=1).changed == 0
        assert BodyRow.objects.get().body_kid == "next"
        assert selectors.bodies(request_id)[0].text == "what was said"
        settings.IKIRO_KEYRING = ring
        assert services.reseal(limit=10).unreadable == (f"the body of {ids.public('req', request_id)}",)
