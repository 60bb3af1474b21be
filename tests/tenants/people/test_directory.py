"""People, memberships and ended sessions in a worker's memory: only what changed is loaded, what ended is forgotten."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections

from gateway.core import clock
from gateway.core.journal import OPERATOR
from tenants import directory, selectors
from tenants.context import scope
from tenants.models import EndedSessionRow, User
from tenants.people import members, sessions
from tenants.types import Membership, OrgRef
from tests.factories.people import Someone, member


@pytest.fixture
def someone(acme: OrgRef) -> Iterator[Someone]:
    made = member(acme, "developer")
    yield made
    User.objects.using("owner").filter(pk=made.id).delete()
    connections.close_all()


def load(worker: directory.Directory) -> None:
    asyncio.run(worker.load())


def test_directory__after_each_change__knows_it_and_loads_no_more(
    acme: OrgRef, globex: OrgRef, someone: Someone
) -> None:
    worker = directory.Directory()
    load(worker)
    assert worker.person(someone.id).email == someone.email
    assert worker.membership(someone.id, acme.id) == Membership(someone.id, acme.id, "developer")
    assert worker.membership(someone.id, globex.id) is None
    reached = worker.version
    with scope(acme):
        members.change_role(acme, someone.id, "viewer", actor=OPERATOR, permit=lambda role: None)
    changes = selectors.directory_since(reached)
    assert (len(changes.memberships), changes.people, changes.keys, changes.organizations) == (1, (), (), ())
    load(worker)
    assert worker.membership(someone.id, acme.id).role == "viewer"
    members.join(acme, member_of := someone.id, "owner")  # a member already: nothing changes
    assert selectors.directory_version() == worker.version
    boss = member(acme, "owner")
    with scope(acme):
        members.remove(acme, member_of, actor=OPERATOR, permit=lambda role: None)
    load(worker)
    assert worker.membership(someone.id, acme.id) is None
    assert directory.Directory().person(someone.id) is None
    user = User.objects.get(pk=someone.id)
    user.is_active = False
    user.save(update_fields=["is_active"])
    load(worker)
    assert worker.person(someone.id) is None
    fresh = directory.Directory()
    load(fresh)
    assert (fresh.person(someone.id), fresh.membership(someone.id, acme.id)) == (None, None)
    assert fresh.membership(boss.id, acme.id).role == "owner"
    User.objects.using("owner").filter(pk=boss.id).delete()


def test_user__saved_without_a_change_that_workers_know__takes_no_version(someone: Someone) -> None:
    before = selectors.directory_version()
    user = User.objects.get(pk=someone.id)
    user.last_login = clock.now()
    user.save(update_fields=["last_login"])
    assert selectors.directory_version() == before
    user.name = "Other"
    user.save(update_fields=["name"])
    assert selectors.directory_version() > before


def test_session__ended__is_known_for_ten_minutes_and_purged_after(someone: Someone, monkeypatch) -> None:
    worker = directory.Directory()
    keys = [secrets.token_hex(16) for _ in range(3)]
    for key in keys:
        sessions.session_ended(key, someone.id)
        sessions.session_ended(key, someone.id)
    load(worker)
    sids = [sessions.sid_of(key) for key in keys]
    assert all(worker.has_ended(sid) for sid in sids)
    assert all(key not in sid for key, sid in zip(keys, sids, strict=True))
    assert EndedSessionRow.objects.filter(sid__in=sids).count() == 3
    reached = selectors.directory_version()
    sessions.purge()
    assert EndedSessionRow.objects.filter(sid__in=sids).count() == 3
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert sessions.purge() >= 2
    assert EndedSessionRow.objects.filter(sid__in=sids).count() == 1
    assert selectors.directory_version() == reached
    fresh = directory.Directory()
    load(fresh)
    assert not any(fresh.has_ended(sid) for sid in sids)
    user = User.objects.get(pk=someone.id)
    user.name = "Changed"
    user.save(update_fields=["name"])
    load(worker)
    assert not any(worker.has_ended(sid) for sid in sids)
