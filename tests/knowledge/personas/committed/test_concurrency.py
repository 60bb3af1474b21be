"""Several publishers at once: every version has a number of its own, the plan holds, a stale condition loses."""

from __future__ import annotations

from gateway.core import ids
from gateway.core.errors import GatewayError
from gateway.core.journal import Actor
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import services as policy_services
from gateway.governance.policies.types import Fields
from gateway.knowledge.personas import drafts, relationships, selectors, services
from gateway.platform.audit.models import AuditRow
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
    raw = [cartridge(tone=f"tone {number}") for number in range(6)]
    results = at_once(acme, [lambda one=one: services.publish("sage", one, actor=ALICE) for one in raw])
    assert sorted(result.version for result in results) == [2, 3, 4, 5, 6, 7]
    with scope(acme):
        assert selectors.load("sage").version == 7


def test_publish__four_at_once_on_one_condition__one_wins(acme: OrgRef) -> None:
    with scope(acme):
        services.create(cartridge(), limit=None, actor=ALICE)
    work = lambda: services.publish("sage", cartridge(tone="formal"), expected_version=1, actor=ALICE)  # noqa: E731
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
    at_once(acme, [lambda: services.ensure_default(owner_id="Acme") for _ in range(4)])
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


def test_draft__saved_and_published_at_once_on_one_condition__one_wins_each(acme: OrgRef, globex: OrgRef) -> None:
    raw = [cartridge(tone=tone) for tone in ("formal", "expert", "playful", "concise")]
    saves = [lambda one=one: drafts.save("sage", one, expected_revision=0, actor=ALICE) for one in raw]
    assert _codes(at_once(acme, saves)) == ["draft_conflict"] * 3
    work = lambda: drafts.publish("sage", expected_revision=1, limit=None, actor=ALICE)  # noqa: E731
    results = at_once(acme, [work] * 4)
    assert _codes(results) == ["version_conflict"] * 3
    with scope(acme):
        assert selectors.load("sage").version == 1
        assert selectors.drafts().data == []
    with scope(globex):
        assert selectors.page().data == []


def test_import_and_draft__of_one_id_at_once__one_is_kept(acme: OrgRef) -> None:
    works = [lambda: drafts.begin("sage", cartridge(), actor=ALICE) for _ in range(2)]
    works += [lambda: services.create(cartridge(), limit=None, actor=ALICE) for _ in range(2)]
    codes = _codes(at_once(acme, works))
    with scope(acme):
        versions, kept = selectors.count(), len(selectors.drafts().data)
    # A draft beside the persona that came after it is its next version's; beside one that came before it is refused.
    assert codes.count("persona_exists") == 4 - versions - kept
    assert (versions, kept) in {(1, 0), (1, 1)}


def test_note_turn__forty_at_once__are_all_counted_and_the_stage_is_told_once(acme: OrgRef, globex: OrgRef) -> None:
    subject = ids.uuid7()

    def turns() -> None:
        for _ in range(10):
            relationships.note_turn(subject, "sage", subject_id="ada")

    at_once(acme, [turns] * 4)
    with scope(acme):
        found = relationships.of(subject, "sage")
        assert (found.turns, found.stage) == (40, "friend")
        changes = AuditRow.objects.filter(action="relationship.advanced").values_list("detail", flat=True)
        assert sorted(change["stage"] for change in changes) == ["acquaintance", "friend"]
    with scope(globex):
        assert relationships.of(subject, "sage").turns == 0
