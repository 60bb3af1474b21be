"""One chain per organization, gapless, whoever seals, whoever is killed, and whoever tampers is found."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import connections, transaction

from gateway.core import ids
from gateway.core.journal import SYSTEM, Actor, Change, record
from gateway.platform.audit import canonical, sealing, selectors, services
from gateway.platform.audit.models import AuditRow
from gateway.platform.audit.types import NotedEntry
from gateway.platform.outbox import selectors as outbox
from gateway.platform.outbox.types import Kind
from tenants.context import scope
from tests.factories.organizations import raw_parameters

BATCH = "batch"


def _write(ref, count=1):
    for number in range(count):
        with scope(ref), transaction.atomic():
            record(Change("thing.changed", Actor("key", "key_1"), f"t{number}", detail={"n": number}))


def _rows(ref):
    with scope(ref):
        return list(AuditRow.objects.order_by("seq"))


def _verify(ref):
    with scope(ref):
        return selectors.verify()


def _owner(ref, sql, *params):
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql.replace("audit_entry", f'"{ref.schema}".audit_entry'), params)
        return cursor.rowcount


def _check_chain(ref, length):
    rows, head = _rows(ref), canonical.first_link(ref.id)
    assert [row.seq for row in rows] == list(range(1, length + 1))
    for row in rows:
        assert bytes(row.prev_hash) == head
        head = canonical.next_link(head, bytes(row.content_hash))
        assert bytes(row.chain_hash) == head
    assert outbox.refs(connections[BATCH], Kind.AUDIT, ref.id) == []
    found = _verify(ref)
    assert (found.ok, found.sealed, found.unsealed, found.head_hash) == (True, length, 0, head)


def test_seal__two_organizations__each_has_its_own_chain(acme, globex):
    _write(acme, 3)
    _write(globex, 2)
    assert sealing.seal(acme, connections[BATCH]) == 3
    _check_chain(acme, 3)
    assert (_verify(globex).sealed, _verify(globex).unsealed) == (0, 2)
    assert sealing.seal(globex, connections[BATCH]) == 2
    _check_chain(globex, 2)
    assert _verify(acme).head_hash != _verify(globex).head_hash


def test_seal__again_and_later__continues_the_chain(acme):
    _write(acme, 2)
    assert sealing.seal(acme, connections[BATCH]) == 2
    assert sealing.seal(acme, connections[BATCH]) == 0
    _write(acme, 1)
    assert sealing.seal(acme, connections[BATCH]) == 1
    _check_chain(acme, 3)


def test_seal__more_than_a_batch__takes_them_all_and_clears_every_marker(acme, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    _write(acme, 9)
    assert sealing.seal(acme, connections[BATCH]) == 9
    _check_chain(acme, 9)


def test_seal__entry_still_uncommitted__is_left_and_takes_a_later_place(acme):
    old = ids.uuid7()
    with psycopg.connect(**raw_parameters()) as other:
        with scope(acme):
            row = services._row(NotedEntry(old, ids.created_at(old), "late.entry", SYSTEM, "x"))
        other.execute(
            f'INSERT INTO "{acme.schema}".audit_entry'
            " (id, occurred_at, action, actor_kind, actor_id, target, detail, content_hash)"
            " VALUES (%s, %s, %s, 'system', 'gateway', 'x', '{}', %s)",
            [old, row.occurred_at, row.action, row.content_hash],
        )
        _write(acme, 2)
        assert sealing.seal(acme, connections[BATCH]) == 2
        other.commit()
    assert sealing.seal(acme, connections[BATCH]) == 1
    _check_chain(acme, 3)
    assert [row.id == old for row in _rows(acme)] == [False, False, True]


def test_seal__another_sealer_is_at_it__leaves_and_takes_over_when_that_one_dies(acme):
    _write(acme, 2)
    other = psycopg.connect(**raw_parameters())
    other.execute("SELECT pg_advisory_xact_lock(%s)", [sealing._lock_key(acme.id)])
    other.execute(f'UPDATE "{acme.schema}".audit_entry SET seq = 77 WHERE target = %s', ["t0"])
    assert sealing.seal(acme, connections[BATCH]) == 0
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [other.info.backend_pid])
    assert sealing.seal(acme, connections[BATCH]) == 2
    _check_chain(acme, 2)
    other.close()


def test_seal__many_writers_and_sealers_at_once__one_gapless_chain(acme):
    failures = []

    def guarded(work):
        try:
            work()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    def seal():
        for _ in range(15):
            sealing.seal(acme, connections[BATCH])

    works = [lambda: _write(acme, 15)] * 3 + [seal] * 3
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    sealing.seal(acme, connections[BATCH])
    _check_chain(acme, 45)


def test_seal__entries_without_markers__are_sealed_all_the_same(acme):
    _write(acme, 2)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM public.outbox_marker WHERE org_id = %s", [acme.id])
    assert sealing.seal(acme, connections[BATCH]) == 2
    _check_chain(acme, 2)


def test_sweep__one_organization_is_broken__the_others_are_sealed(acme, globex):
    sealing.sweep(connections[BATCH])  # what other tests left
    _write(acme, 2)
    _write(globex, 3)
    broken, whole, count = (acme, globex, 3) if acme.id < globex.id else (globex, acme, 2)
    _owner(broken, "ALTER TABLE audit_entry RENAME TO audit_away")
    assert sealing.sweep(connections[BATCH]) == count
    _check_chain(whole, count)


def test_sweep__noted_reads_too__are_sealed(acme):
    sealing.sweep(connections[BATCH])  # what other tests left
    with scope(acme):
        now = ids.uuid7()
        services.write_noted([NotedEntry(now, ids.created_at(now), "memory.read", Actor("key", "key_1"), "mem_1")])
    assert sealing.sweep(connections[BATCH]) == 1
    _check_chain(acme, 1)


@pytest.mark.parametrize(
    ("tampering", "first_bad"),
    [
        ("UPDATE audit_entry SET detail = '{\"n\": 99}' WHERE seq = 3", 3),
        ("UPDATE audit_entry SET actor_id = 'key_2' WHERE seq = 2", 2),
        ("UPDATE audit_entry SET occurred_at = occurred_at + interval '1 microsecond' WHERE seq = 4", 4),
        ("DELETE FROM audit_entry WHERE seq = 2", 2),
        ("DELETE FROM audit_entry WHERE seq = 1", 1),
        ("UPDATE audit_entry SET content_hash = sha256('x') WHERE seq = 5", 5),
        ("UPDATE audit_entry SET chain_hash = sha256('x') WHERE seq = 2", 2),
        ("UPDATE audit_entry SET seq = 10 - seq WHERE seq IN (4, 6)", 4),
    ],
)
def test_verify__a_sealed_entry_was_touched__names_the_first_bad_place(acme, tampering, first_bad):
    _write(acme, 6)
    sealing.seal(acme, connections[BATCH])
    if "10 - seq" in tampering:
        _owner(acme, "UPDATE audit_entry SET seq = 100 WHERE seq = 4")
        _owner(acme, "UPDATE audit_entry SET seq = 4 WHERE seq = 6")
        _owner(acme, "UPDATE audit_entry SET seq = 6 WHERE seq = 100")
    else:
        assert _owner(acme, tampering) == 1
    found = _verify(acme)
    assert (found.ok, found.first_bad_seq) == (False, first_bad)


def test_verify__content_and_its_hash_were_rewritten__the_link_betrays_it(acme):
    _write(acme, 4)
    sealing.seal(acme, connections[BATCH])
    with scope(acme):
        row = AuditRow.objects.get(seq=2)
        row.target = "other"
    forged = selectors._content(row)
    _owner(acme, "UPDATE audit_entry SET target = 'other', content_hash = %s WHERE seq = 2", forged)
    assert _verify(acme).first_bad_seq == 2


def test_verify__an_unsealed_entry_was_touched__is_reported_apart(acme):
    _write(acme, 2)
    sealing.seal(acme, connections[BATCH])
    _write(acme, 2)
    assert (_verify(acme).ok, _verify(acme).unsealed) == (True, 2)
    assert _owner(acme, "UPDATE audit_entry SET action = 'x.y' WHERE seq IS NULL AND detail = '{\"n\": 1}'") == 1
    found = _verify(acme)
    assert (found.ok, found.first_bad_seq, found.sealed, found.unsealed, found.bad_unsealed) == (False, None, 2, 2, 1)


def test_batch_connection__is_the_batch_role_and_no_more(acme):
    with connections[BATCH].cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("ikiro_batch",)
