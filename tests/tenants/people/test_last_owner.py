"""Whatever is done at the same moment, an organization keeps an owner, and keys keep somebody who answers for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from gateway.core.errors import Conflict, GatewayError
from gateway.core.journal import Actor
from tenants import keys
from tenants.context import scope
from tenants.models import ApiKeyRow, MembershipRow, User
from tenants.people import members, profile
from tenants.types import OrgRef
from tests.factories.people import PASSWORD, Someone, account_of, member
from tests.factories.threads import at_once


@pytest.fixture
def made() -> Iterator[list[Someone]]:
    """Persons to forget afterwards."""
    found: list[Someone] = []
    yield found
    User.objects.using("owner").filter(pk__in=[someone.id for someone in found]).delete()


def owners(ref: OrgRef) -> int:
    return MembershipRow.objects.filter(organization_id=ref.id, removed_at=None, role="owner").count()


def anybody(role: str) -> None:
    """Every role may be touched."""


Work = Callable[[OrgRef, Someone], Any]
WORKS: dict[str, Work] = {
    "demoted": lambda ref, who: members.change_role(
        ref, who.id, "viewer", actor=Actor("user", who.public_id), permit=anybody
    ),
    "removed": lambda ref, who: members.remove(ref, who.id, actor=Actor("user", who.public_id), permit=anybody),
    "deleted": lambda ref, who: profile.delete(account_of(who), password=PASSWORD),
}


@pytest.mark.parametrize("first", WORKS)
@pytest.mark.parametrize("second", WORKS)
def test_two_owners__ending_at_once__leave_one(
    first: str, second: str, acme: OrgRef, globex: OrgRef, made: list[Someone]
) -> None:
    one, two = member(acme, "owner"), member(acme, "owner")
    elsewhere = member(globex, "owner")
    made += [one, two, elsewhere]
    results = at_once(acme, [lambda: WORKS[first](acme, one), lambda: WORKS[second](acme, two)])
    refused = [result for result in results if isinstance(result, GatewayError)]
    assert [error.code for error in refused] == ["last_owner"]
    assert isinstance(refused[0], Conflict)
    assert (owners(acme), owners(globex)) == (1, 1)
    connections.close_all()


def test_owners__all_leaving_at_once__leave_the_last(acme: OrgRef, made: list[Someone]) -> None:
    everybody = [member(acme, "owner") for _ in range(6)]
    made += everybody
    results = at_once(acme, [lambda who=who: WORKS["removed"](acme, who) for who in everybody])
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert owners(acme) == 1
    connections.close_all()


def test_keys__of_somebody_removed__always_have_an_owner(acme: OrgRef, globex: OrgRef, made: list[Someone]) -> None:
    boss, leaver = member(acme, "owner"), member(acme, "developer")
    members.join(globex, leaver.id, "developer")
    made += [boss, leaver]
    actor = Actor("user", leaver.public_id)
    for ref in (acme, globex):
        with scope(ref):
            keys.create(name="theirs", mode="live", actor=actor, owner_user_id=leaver.id)
    with scope(acme):
        removed = members.remove(acme, leaver.id, actor=actor, permit=anybody)
    assert (removed.keys, removed.to) == (1, boss.id)
    owned = dict(ApiKeyRow.objects.filter(name="theirs").values_list("organization_id", "owner_user_id"))
    assert (owned[acme.id], owned[globex.id]) == (boss.id, leaver.id)
    connections.close_all()
