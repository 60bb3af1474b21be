"""Writes of providers and aliases: limits hold, the trail has no secret in it, and organizations do not meet."""

from __future__ import annotations

import itertools

import pytest

from gateway.core.crypto import Secret
from gateway.core.errors import GatewayError
from gateway.core.journal import OPERATOR
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from gateway.platform.providers import selectors, services, snapshots
from gateway.platform.providers.services import aliases, credentials
from gateway.platform.providers.stored import Kind
from tenants import selectors as tenants
from tenants.context import scope

CANARY = "sk-canary-0123456789abcdef"


def create(name: str, key: str = CANARY, **fields):
    return services.provider_create(name=name, kind=Kind.OPENAI, api_key=Secret(key), actor=OPERATOR, **fields)


def code(work, *args, **fields) -> str:
    with pytest.raises(GatewayError) as caught:
        work(*args, **fields)
    assert CANARY not in f"{caught.value!r} {caught.value.detail} {caught.value.extra} {caught.value.problems}"
    return caught.value.code


def test_provider_create__limit_reached__is_refused_for_that_organization_alone(acme, globex, monkeypatch):
    monkeypatch.setattr(credentials, "MAX_PROVIDERS", 2)
    with scope(acme):
        create("one")
        create("two")
        assert code(create, "three") == "too_many_providers"
        assert code(create, "two") == "too_many_providers"
        assert len(selectors.configured().providers) == 2
    with scope(globex):
        assert selectors.configured().providers == ()
        create("one")
        assert code(create, "one") == "provider_exists"


def test_alias_set__limit_reached__still_changes_what_is_there(acme, globex, monkeypatch):
    monkeypatch.setattr(aliases, "MAX_ALIASES", 1)
    with scope(acme):
        services.alias_set("a", "ikiro/sandbox", actor=OPERATOR)
        assert code(services.alias_set, "b", "ikiro/sandbox", actor=OPERATOR) == "too_many_aliases"
        services.alias_set("a", "openai/x", actor=OPERATOR)
        assert [(one.alias, one.model) for one in selectors.aliases()] == [("a", "openai/x")]
    with scope(globex):
        assert selectors.aliases() == ()
        assert code(services.alias_remove, "a", actor=OPERATOR) == "alias_not_found"


@pytest.mark.parametrize(("alias", "model"), [("a/b", "ikiro/sandbox"), ("a", "b"), ("", "x/y"), ("a", "X/y")])
def test_alias_set__anything_that_is_no_alias_of_a_model__is_invalid(acme, alias, model):
    with scope(acme):
        assert code(services.alias_set, alias, model, actor=OPERATOR) == "invalid_alias"
        assert selectors.aliases() == ()


def test_changes__each__raise_the_organizations_version_and_leave_no_secret_behind(acme, globex):
    def versions() -> list[int]:
        return [tenants.organization(ref.id).version for ref in (acme, globex)]

    seen = [versions()]
    with scope(acme):
        made = create("one")
        seen.append(versions())
        services.provider_rotate(made.id, api_key=Secret(CANARY + "2"), actor=OPERATOR)
        seen.append(versions())
        services.alias_set("a", "one/x", actor=OPERATOR)
        seen.append(versions())
        services.provider_delete(made.id, actor=OPERATOR)
        seen.append(versions())
        trail = [(row.action, str(row.detail)) for row in AuditRow.objects.order_by("id")]
        events = [row.name for row in EventRow.objects.order_by("id")]
        rows = str(list(AuditRow.objects.values())) + str(list(EventRow.objects.values()))
    assert all(before[0] < after[0] for before, after in itertools.pairwise(seen))
    assert {one[1] for one in seen} == {seen[0][1]}
    assert [action for action, _ in trail][-4:] == [
        "provider.created", "provider.rotated", "alias.set", "provider.deleted",
    ]  # fmt: skip
    assert events[-3:] == ["provider.created", "provider.rotated", "provider.deleted"]
    assert "sk-canary" not in rows + repr(made) + repr(snapshots.Snapshot(1, {}, {}, {made.name: made}))


def test_last4__short_key__is_not_given_away(acme):
    with scope(acme):
        assert (create("long").last4, create("short", key="0123456789abcde").last4) == ("cdef", "")


def test_provider__of_another_organization__does_not_exist(acme, globex):
    with scope(acme):
        made = create("one")
    with scope(globex):
        for work in (selectors.provider,):
            assert code(work, made.id) == "provider_not_found"
        assert code(services.provider_delete, made.id, actor=OPERATOR) == "provider_not_found"
        assert code(services.provider_rotate, made.id, api_key=Secret("x"), actor=OPERATOR) == "provider_not_found"
        assert code(services.provider_change, made.id, actor=OPERATOR) == "provider_not_found"
        assert code(services.note_test, made.id, actor=OPERATOR, facts={}) == "provider_not_found"
    with scope(acme):
        assert selectors.provider(made.id) == made
