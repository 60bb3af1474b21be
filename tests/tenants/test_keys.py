"""The life of a key in the services and at the door, for two organizations and with the clock in hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.core import clock, ids
from gateway.core.errors import BadRequest, Conflict, GatewayError, NotFound, Unavailable
from gateway.core.journal import Actor
from gateway.platform.audit import selectors as audit
from gateway.platform.audit.types import AuditFilter
from tenants import authentication, keys, selectors, services
from tenants.context import scope
from tenants.directory import Directory
from tenants.types import OrgRef
from tests.tenants.conftest import NOON

BOSS = Actor("operator", "test")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch):
    """``door(secret)``: the organization that it opens, or the code of the refusal; on the directory as it is now."""

    def knock(secret: str) -> str:
        changes, snapshot = selectors.directory_since(-1), Directory()
        snapshot._organizations = {one.ref.id: one for one in changes.organizations}
        snapshot._keys = {one.public: one for one in changes.keys}
        snapshot.version = changes.version
        monkeypatch.setattr(authentication, "directory", snapshot)
        try:
            return asyncio.run(authentication.authenticate(secret)).organization.slug
        except GatewayError as error:
            return error.code

    return knock


def make(ref: OrgRef, **fields: Any) -> keys.NewKey:
    with scope(ref):
        return keys.create(**{"name": "test", "mode": "live", "actor": BOSS, **fields})


def actions(ref: OrgRef, target: str) -> list[str]:
    with scope(ref):
        page = audit.list_page(AuditFilter(), limit=200, after=None, principal=None)
    return [entry.action for entry in page.data if entry.target == target]


def test_key__made__opens_its_own_organization_only_and_is_audited_there(acme, globex, door) -> None:
    made = make(acme, scopes=["chat", "chat", "audit:read"])
    assert made.key.scopes == ("audit:read", "chat")
    assert door(made.secret) == "unit-acme"
    assert made.secret not in repr(made)
    assert actions(acme, made.key.public_id) == ["key.created"]
    assert actions(globex, made.key.public_id) == []
    with scope(globex):
        with pytest.raises(NotFound):
            selectors.key(globex, made.key.id)
        for change in (keys.rotate, keys.revoke):
            with pytest.raises(NotFound):
                change(made.key.id, actor=BOSS)
        assert made.key not in selectors.keys_page(globex, limit=200, after=None).data
    assert door(made.secret) == "unit-acme"
    assert actions(acme, made.key.public_id) == ["key.created"]


def test_key__rotated__old_secret_ends_at_exactly_24_hours(acme, globex, at, door) -> None:
    made = make(acme)
    with scope(acme):
        rotated = keys.rotate(made.key.id, actor=BOSS)
    assert (rotated.key.id, rotated.key.public) == (made.key.id, made.key.public)
    assert rotated.key.previous_valid_until == NOON + timedelta(hours=24)
    at(NOON + timedelta(hours=24) - timedelta(microseconds=1))
    assert (door(made.secret), door(rotated.secret)) == ("unit-acme", "unit-acme")
    at(NOON + timedelta(hours=24))
    assert (door(made.secret), door(rotated.secret)) == ("key_expired", "unit-acme")
    assert actions(acme, made.key.public_id) == ["key.rotated", "key.created"]
    assert actions(globex, made.key.public_id) == []


def test_key__rotated_again_within_the_grace__only_by_force_ends_the_first_secret_at_once(acme, at, door) -> None:
    first = make(acme)
    with scope(acme):
        second = keys.rotate(first.key.id, actor=BOSS)
        at(NOON + timedelta(hours=1))
        with pytest.raises(Conflict) as refused:
            keys.rotate(first.key.id, actor=BOSS)
        assert refused.value.code == "rotation_running"
        assert [door(one.secret) for one in (first, second)] == ["unit-acme", "unit-acme"]
        third = keys.rotate(first.key.id, actor=BOSS, force=True)
    assert [door(one.secret) for one in (first, second, third)] == ["key_unknown", "unit-acme", "unit-acme"]


def test_key__grace_extended__works_on_and_never_beyond_thirty_days(acme, globex, at, door) -> None:
    first = make(acme)
    with scope(acme):
        second = keys.rotate(first.key.id, actor=BOSS, grace=timedelta(hours=1))
        at(NOON + timedelta(minutes=59))
        extended = keys.extend_grace(first.key.id, grace=timedelta(days=7), actor=BOSS)
        assert extended.previous_valid_until == NOON + timedelta(days=7, minutes=59)
        assert keys.extend_grace(first.key.id, grace=timedelta(hours=1), actor=BOSS) == extended  # never shorter
        for day in (7, 13, 19):
            at(NOON + timedelta(days=day))
            keys.extend_grace(first.key.id, grace=timedelta(days=7), actor=BOSS)
        at(NOON + timedelta(days=25))
        with pytest.raises(Conflict) as too_long:
            keys.extend_grace(first.key.id, grace=timedelta(days=7), actor=BOSS)
        assert (too_long.value.code, door(first.secret)) == ("grace_too_long", "unit-acme")
        at(NOON + timedelta(days=40))
        with pytest.raises(Conflict) as over:
            keys.extend_grace(first.key.id, grace=timedelta(hours=1), actor=BOSS)
    assert over.value.code == "no_grace_running"
    with scope(globex), pytest.raises(NotFound):
        keys.extend_grace(first.key.id, grace=timedelta(hours=1), actor=BOSS)
    assert [door(one.secret) for one in (first, second)] == ["key_expired", "unit-acme"]
    assert actions(acme, first.key.public_id).count("key.grace_extended") == 4


def test_key__revoked__ends_with_its_grace_and_cannot_come_back(acme, at, door) -> None:
    made = make(acme)
    with scope(acme):
        rotated = keys.rotate(made.key.id, actor=BOSS)
        once = keys.revoke(made.key.id, actor=BOSS)
        at(NOON + timedelta(hours=1))
        assert keys.revoke(made.key.id, actor=BOSS) == once
        with pytest.raises(Conflict) as refused:
            keys.rotate(made.key.id, actor=BOSS)
    assert refused.value.code == "key_revoked"
    assert once.revoked_at == NOON
    assert [door(made.secret), door(rotated.secret)] == ["key_revoked", "key_revoked"]
    assert actions(acme, made.key.public_id) == ["key.revoked", "key.rotated", "key.created"]


def test_key__with_an_expiry__ends_at_that_moment(acme, at, door) -> None:
    made = make(acme, expires_at=NOON + timedelta(minutes=5))
    at(NOON + timedelta(minutes=5) - timedelta(microseconds=1))
    assert door(made.secret) == "unit-acme"
    at(NOON + timedelta(minutes=5))
    assert door(made.secret) == "key_expired"


@pytest.mark.parametrize("fields", [{"expires_at": NOON}, {"scopes": ["chat", "everything"]}])
def test_key__that_could_never_work__is_refused_and_nothing_is_written(acme, at, fields: dict[str, Any]) -> None:
    before = selectors.keys_page(acme, limit=200, after=None).data
    version = selectors.directory_version()
    with pytest.raises(BadRequest) as refused:
        make(acme, **fields)
    assert refused.value.problems[0].pointer == f"#/{next(iter(fields))}"
    assert selectors.keys_page(acme, limit=200, after=None).data == before
    assert selectors.directory_version() == version


def test_keys__more_than_allowed__are_refused_and_revoking_frees_one(acme, globex, monkeypatch) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    first, _ = make(acme), make(acme)
    with pytest.raises(Conflict) as refused:
        make(acme)
    assert refused.value.code == "too_many_keys"
    make(globex)
    with scope(acme):
        keys.revoke(first.key.id, actor=BOSS)
    make(acme)


def test_key__secret_of_another_key__is_unknown(acme, globex, door) -> None:
    from tenants import tokens

    made = make(acme)
    forged = tokens.new_secret("live", made.key.public)
    assert door(forged) == "key_unknown"
    assert door(made.secret[:-1] + ("0" if made.secret[-1] != "0" else "1")) == "key_malformed"


def test_organization__suspended_or_unfinished__its_keys_say_so_and_the_others_work(acme, globex, door) -> None:
    from tenants.models import OrganizationRow

    mine, theirs = make(acme), make(globex)
    services.suspend(acme, actor=BOSS)
    assert (door(mine.secret), door(theirs.secret)) == ("org_suspended", "unit-globex")
    services.resume(acme, actor=BOSS)
    assert (door(mine.secret), door(theirs.secret)) == ("unit-acme", "unit-globex")
    OrganizationRow.objects.filter(pk=acme.id).update(state="provisioning")
    assert (door(mine.secret), door(theirs.secret)) == ("org_not_ready", "unit-globex")


def test_directory__never_loaded_or_behind_too_long__decides_nothing(acme, monkeypatch) -> None:
    snapshot = Directory()
    monkeypatch.setattr(authentication, "directory", snapshot)
    secret = make(acme).secret

    async def away() -> None:
        raise Unavailable("The database is not reachable.", code="database_unavailable")

    monkeypatch.setattr(snapshot, "load", away)
    with pytest.raises(Unavailable) as never_loaded:
        asyncio.run(authentication.authenticate(secret))
    assert never_loaded.value.code == "database_unavailable"
    snapshot.version, snapshot._behind_since = 5, -1e9
    with pytest.raises(Unavailable) as behind:
        asyncio.run(authentication.authenticate(secret))
    assert behind.value.code == "directory_stale"


def test_touch__times_out_of_order__only_moves_forward_and_leaves_others_alone(acme, globex) -> None:
    mine, theirs = make(acme), make(globex)
    later = clock.now()
    keys.touch({})
    keys.touch({mine.key.id: later, ids.uuid7(): later})
    keys.touch({mine.key.id: later - timedelta(hours=1)})
    assert selectors.key(acme, mine.key.id).last_used_at == later
    assert selectors.key(globex, theirs.key.id).last_used_at is None
    assert selectors.key(acme, mine.key.id).version == mine.key.version
