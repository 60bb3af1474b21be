"""Markers share their row's transaction and show only to whom they belong."""

from __future__ import annotations

import zlib

import pytest
from django.db import ProgrammingError, connection, connections, transaction

from gateway.core import ids
from gateway.platform.outbox import selectors, services, sweeps
from gateway.platform.outbox.models import OutboxMarker
from gateway.platform.outbox.types import Kind
from tenants.context import NoTenant, public_scope, scope
from tests.factories.organizations import new_organization, remove


def _mark(ref, kind=Kind.EVENT, count=1):
    refs = [ids.uuid7() for _ in range(count)]
    with scope(ref), transaction.atomic():
        services.mark(kind, refs)
    return refs


def _batch_refs(ref, kind=Kind.EVENT):
    return selectors.refs(connections["batch"], kind, ref.id)


def test_mark__inside_a_transaction__writes_one_row_with_the_organizations_shard(acme):
    (marked,) = _mark(acme)
    with scope(acme):
        row = OutboxMarker.objects.get()
    assert (row.org_id, row.kind, row.ref) == (acme.id, "event", marked)
    assert row.shard == zlib.crc32(acme.id.bytes) % 64


def test_mark__outside_a_transaction__is_refused_and_writes_nothing(acme):
    with scope(acme), pytest.raises(services.OutsideTransaction):
        services.mark(Kind.EVENT, [ids.uuid7()])
    assert _batch_refs(acme) == []


def test_mark__without_an_organization__is_refused(committed_database):
    with public_scope(), transaction.atomic(), pytest.raises(NoTenant):
        services.mark(Kind.EVENT, [ids.uuid7()])


def test_mark__twice__is_once(acme):
    marked = ids.uuid7()
    for _ in range(2):
        with scope(acme), transaction.atomic():
            services.mark(Kind.AUDIT, [marked])
    assert _batch_refs(acme, Kind.AUDIT) == [marked]


def test_mark__transaction_rolls_back__leaves_nothing(acme):
    with scope(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
        services.mark(Kind.EVENT, [ids.uuid7()])
        raise ZeroDivisionError
    assert _batch_refs(acme) == []


def test_request_role__another_organization_in_scope__neither_sees_nor_writes_nor_deletes(acme, globex):
    (marked,) = _mark(acme)
    with scope(globex):
        assert OutboxMarker.objects.count() == 0
        assert OutboxMarker.objects.filter(ref=marked).delete()[0] == 0
        with pytest.raises(ProgrammingError, match="row-level security"):
            OutboxMarker.objects.create(org_id=acme.id, kind="event", ref=ids.uuid7(), shard=0)
    assert _batch_refs(acme) == [marked]


def test_request_role__no_organization_in_scope__sees_nothing(acme):
    _mark(acme)
    with public_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.outbox_marker")
        assert cursor.fetchone() == (0,)


def test_unmark__of_one_organization__leaves_the_others(acme, globex):
    mine, theirs = _mark(acme, count=2), _mark(globex)
    with scope(acme), transaction.atomic():
        services.unmark(Kind.EVENT, [mine[0], *theirs])
    assert (_batch_refs(acme), _batch_refs(globex)) == ([mine[1]], theirs)


def test_pending_orgs__several_pages__every_organization_once_whatever_its_markers(acme, globex):
    _mark(acme, Kind.PROPOSAL, 3)
    _mark(globex, Kind.PROPOSAL, 2)
    _mark(globex, Kind.OPERATION, 1)
    batch, mine, seen, after = connections["batch"], {acme.id, globex.id}, [], None
    while page := selectors.pending_orgs(batch, Kind.PROPOSAL, 1, after=after):
        assert len(page) == 1
        seen, after = [*seen, *page], page[-1]
    assert seen == sorted(seen)
    assert [org_id for org_id in seen if org_id in mine] == sorted(mine)
    assert selectors.pending_orgs(batch, Kind.PROPOSAL, 10_000) == seen
    assert mine & set(selectors.pending_orgs(batch, Kind.OPERATION, 10_000)) == {globex.id}


def test_clear__given_refs__deletes_just_those(acme, globex):
    mine, theirs = _mark(acme, count=3), _mark(globex)
    batch = connections["batch"]
    assert services.clear(batch, Kind.EVENT, acme.id, mine[:2] + theirs) == 2
    assert (_batch_refs(acme), _batch_refs(globex)) == ([mine[2]], theirs)
    assert services.clear(batch, Kind.EVENT, acme.id, []) == 0
    assert services.clear(batch, Kind.EVENT, acme.id, None) == 1
    assert (_batch_refs(acme), _batch_refs(globex)) == ([], theirs)


def test_organizations__one_is_gone__its_markers_are_dropped_and_the_rest_come(acme):
    _mark(acme, Kind.PROPOSAL)
    gone = new_organization("gone")
    remove(gone)
    with scope(gone), transaction.atomic():
        services.mark(Kind.PROPOSAL, [ids.uuid7()])
    found = list(sweeps.organizations(connections["batch"], Kind.PROPOSAL))
    assert (found.count(acme), found.count(gone)) == (1, 0)
    assert _batch_refs(gone, Kind.PROPOSAL) == []
