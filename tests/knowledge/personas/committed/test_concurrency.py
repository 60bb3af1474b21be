"""Several publishers at once: every version has a number of its own, the plan holds, a stale condition loses."""

from __future__ import annotations

from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import services as policy_services
from gateway.governance.policies.types import Fields
from gateway.knowledge.personas import selectors, services
from tenants.context import scope
from tenants.types import OrgRef
from tests.factories.threads import at_once
from tests.knowledge.personas.support import cartridge

ALICE = Actor("key", "key_alice")


def _codes(results: list[object]) -> list[str]:
    return sorted(error.code for error in results if isinstance(error, GatewayError))


def test_publish__six_at_once__six_versions(acme: OrgRef) -> None:
    with scope(acme):
        services.create(cartridge(), limit=None, actor=ALICE)
    results = at_once(acme, [lambda: services.publish("sage", cartridge(), actor=ALICE) for _ in range(6)])
    assert sorted(result.version for result in results) == [2, 3, 4, 5, 6, 7]
    with scope(acme):
        assert selectors.load("sage").version == 7


def test_publish__four_at_once_on_one_condition__one_wins(acme: OrgRef) -> None:
    with scope(acme):
        services.create(cartridge(), limit=None, actor=ALICE)
    work = lambda: services.publish("sage", cartridge(), expected_version=1, actor=ALICE)  # noqa: E731
    results = at_once(acme, [work] * 4)
    assert _codes(results) == ["version_conflict"] * 3
    with scope(acme):
        assert selectors.load("sage").version == 2


def test_create__five_at_once_with_room_for_two__two_are_made(acme: OrgRef) -> None:
    works = [lambda n=n: services.create(cartridge(f"p{n}"), limit=2, actor=ALICE) for n in range(5)]
    assert _codes(at_once(acme, works)) == ["plan_limit"] * 3
    with scope(acme):
        assert selectors.count() == 2


def test_create__the_same_id_at_once__is_made_once(acme: OrgRef) -> None:
    works = [lambda: services.create(cartridge("p"), limit=None, actor=ALICE) for _ in range(4)]
    assert _codes(at_once(acme, works)) == ["persona_exists"] * 3


def test_ensure_default__at_once__is_one_persona(acme: OrgRef) -> None:
    at_once(acme, [lambda: services.ensure_default(org_name="Acme") for _ in range(4)])
    with scope(acme):
        assert [(persona.id, persona.current_version) for persona in selectors.page().data] == [("brand-default", 1)]


def test_put_overlay__four_at_once_on_an_empty_organization__one_wins_the_condition(acme: OrgRef) -> None:
    def put() -> object:
        return policy_services.put_overlay(
            locks=Fields(dont=("Swear",)), defaults=Fields(), expected_version=0, actor=ALICE
        )

    assert _codes(at_once(acme, [put] * 4)) == ["version_conflict"] * 3
    with scope(acme):
        assert policies.overlay().version == 1
