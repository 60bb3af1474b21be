"""Overlays in shadow: they never take part in what is in force, and show what would be, by property and as stored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.journal import Actor
from gateway.governance.access import teams
from gateway.governance.policies import selectors, services, shadows
from gateway.governance.policies.errors import InvalidOverlay, OverlayConflict, OverlayNotFound
from gateway.governance.policies.merge import merge
from gateway.governance.policies.models import OverlayRow, VersionRow
from gateway.governance.policies.types import Fields, Level, Mode, Overlay, RedactMode
from gateway.platform.audit.models import AuditRow
from gateway.platform.events import catalogue
from gateway.platform.events.models import EventRow
from tenants.context import scope
from tenants.models import OrganizationRow
from tests.governance.policies.test_merge import FIELDS, OVERLAYS, REQUESTS, SENTENCES

ALICE, BOB = Actor("key", "key_alice"), Actor("key", "key_bob")
LOOSE, STRICT = Fields(dont=("Swear",)), Fields(dont=("Shout",), redact_mode=RedactMode.STRICT)
SHADOWS = st.lists(
    st.builds(
        Overlay, st.sampled_from(Level), st.sampled_from(["", "t", "u"]), FIELDS, FIELDS, st.integers(0, 100),
        mode=st.just(Mode.SHADOW),
    ),
    max_size=4, unique_by=lambda overlay: (overlay.level, overlay.target),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(OVERLAYS, SHADOWS, REQUESTS, SENTENCES, SENTENCES)
def test_merge__any_overlay_in_shadow__leaves_what_is_in_force(overlays, shadowed, request, do, dont) -> None:
    persona = {"persona_do": do, "persona_dont": dont, "request": request}
    assert merge([*shadowed, *overlays, *shadowed], **persona) == merge(overlays, **persona)


@settings(max_examples=100, deadline=None)
@given(OVERLAYS, SHADOWS, REQUESTS)
def test_shadow__any_overlays__is_what_promoting_all_would_put_in_force(overlays, shadowed, request) -> None:
    found = shadows.of([*overlays, *shadowed], request=request)
    if not shadowed:
        assert found is None
        return
    named = {(one.level, one.target): one for one in overlays}
    named |= {(one.level, one.target): replace(one, mode=Mode.ENFORCE) for one in shadowed}
    assert found.policy == merge(list(named.values()), request=request)
    assert set(found.overlays) == set(shadowed)


@pytest.fixture
def inside(acme):
    with scope(acme):
        OverlayRow.objects.all().delete()  # whatever others committed; rolled back with the test
        teams.create("sales", name="Sales", actor=ALICE)
        yield acme


def put(locks: Fields, mode: Mode = Mode.SHADOW, level: Level = Level.TEAM, target: str = "sales", **fields):
    given = {"level": level, "target": target, "mode": mode, "locks": locks, "defaults": Fields(), "actor": ALICE}
    return services.put_overlay(**{**given, **fields})


def promote(expected: int, **fields):
    return services.promote(
        **{"level": Level.TEAM, "target": "sales", "actor": BOB, "expected_version": expected} | fields
    )


def test_put__in_shadow__stands_beside_the_one_in_force_with_versions_of_its_own(inside, globex) -> None:
    enforced = put(LOOSE, Mode.ENFORCE)
    before = selectors.effective(teams=("sales",))
    put(LOOSE)
    shadow = put(STRICT, precedence=70, expected_version=1)
    assert (shadow.version, shadow.mode, shadow.id) == (2, Mode.SHADOW, enforced.id)
    assert selectors.effective(teams=("sales",)) == before
    assert selectors.standing(Level.TEAM, "sales") == enforced
    assert selectors.standing(Level.TEAM, "sales", Mode.SHADOW) == shadow
    assert [one.version for one in selectors.page(mode=Mode.SHADOW).data] == [2]
    assert [one.version for one in selectors.page().data] == [1]
    assert [one.overlay.version for one in selectors.versions(mode=Mode.SHADOW).data] == [2, 1]
    assert [one.overlay.version for one in selectors.versions().data] == [1]
    assert selectors.count() == 1
    with scope(globex):
        assert selectors.standing(Level.TEAM, "sales", Mode.SHADOW) is None


def test_put__in_shadow_alone__puts_nothing_in_force(inside) -> None:
    put(STRICT, level=Level.ORG, target="")
    assert selectors.effective() == merge([])
    assert (selectors.overlay().version, selectors.overlay().public_id) == (0, None)
    assert selectors.overlay(mode=Mode.SHADOW).version == 1
    assert selectors.page().data == []
    assert put(LOOSE, Mode.ENFORCE, Level.ORG, "", expected_version=0).version == 1
    assert selectors.effective().dont == ("Swear",)


def test_overlays__of_both_modes__are_one_query(inside, django_assert_num_queries) -> None:
    put(LOOSE, Mode.ENFORCE)
    put(STRICT)
    with django_assert_num_queries(1):
        found = selectors.overlays(teams=("sales",))
    assert sorted(one.mode for one in found) == [Mode.ENFORCE, Mode.SHADOW]


def test_delete__of_the_one_in_force__leaves_its_shadow_and_the_other_way_round(inside) -> None:
    put(LOOSE, Mode.ENFORCE)
    put(STRICT)
    services.delete_overlay(level=Level.TEAM, target="sales", actor=ALICE)
    assert [one.mode for one in selectors.overlays(teams=("sales",))] == [Mode.SHADOW]
    services.delete_overlay(level=Level.TEAM, target="sales", mode=Mode.SHADOW, actor=ALICE, expected_version=1)
    assert selectors.overlays(teams=("sales",)) == []
    with pytest.raises(OverlayNotFound):
        services.delete_overlay(level=Level.TEAM, target="sales", mode=Mode.SHADOW, actor=ALICE)
    assert put(STRICT, expected_version=0).version == 3


def test_promote__what_was_seen__is_in_force_and_the_shadow_ends_at_once(inside) -> None:
    put(LOOSE, Mode.ENFORCE, precedence=10)
    put(STRICT, precedence=70)
    promoted = promote(1, expected_in_force=1)
    assert (promoted.version, promoted.mode, promoted.locks, promoted.precedence) == (2, Mode.ENFORCE, STRICT, 70)
    assert selectors.effective(teams=("sales",)).dont == ("Shout",)
    assert selectors.standing(Level.TEAM, "sales", Mode.SHADOW) is None
    assert [(one.overlay.version, one.deleted) for one in selectors.versions(mode=Mode.SHADOW).data] == [
        (2, True), (1, False),
    ]  # fmt: skip
    ended, enforced = AuditRow.objects.filter(target=promoted.public_id, detail__promoted=True).order_by("action")
    assert (ended.action, ended.detail["deleted"]) == ("policy.shadow_updated", True)
    assert (enforced.action, enforced.detail["policy_version"]) == ("policy.updated", 2)
    assert enforced.detail["locks"] == {"dont": ["Shout"], "redact_mode": "strict"}


def test_promote__after_somebody_else__is_409_with_what_they_did_and_changes_nothing(inside) -> None:
    put(STRICT)
    put(LOOSE, actor=BOB)
    with pytest.raises(OverlayConflict) as changed:
        promote(1)
    assert {name: changed.value.extra[name] for name in ("mode", "current_version", "updated_by", "changed")} == {
        "mode": "shadow", "current_version": 2, "updated_by": "key:key_bob",
        "changed": ["locks.dont", "locks.redact_mode"],
    }  # fmt: skip
    promote(2)
    with pytest.raises(OverlayConflict) as promoted:
        promote(2)
    assert (promoted.value.extra["current_version"], promoted.value.extra["updated_by"]) == (3, "key:key_bob")
    put(STRICT, expected_version=0)
    with pytest.raises(OverlayConflict) as enforced:
        promote(4, expected_in_force=0)
    assert "mode" not in enforced.value.extra
    assert enforced.value.extra["current_version"] == 1
    assert selectors.effective(teams=("sales",)).dont == ("Swear",)
    assert selectors.standing(Level.TEAM, "sales", Mode.SHADOW).version == 4


def test_promote__nothing_in_shadow_or_no_team__is_refused_and_changes_nothing(inside) -> None:
    put(LOOSE, Mode.ENFORCE)
    with pytest.raises(OverlayNotFound):
        promote(1)
    put(STRICT)
    teams.take_away("sales", removed={}, actor=ALICE)
    with pytest.raises(InvalidOverlay):
        promote(1)
    assert selectors.effective(teams=("sales",)).dont == ("Swear",)


def test_writes__in_shadow__tell_of_the_shadow_alone(inside) -> None:
    written = put(STRICT)
    (entry,) = AuditRow.objects.filter(target=written.public_id)
    assert (entry.action, entry.target, entry.detail["changed"]) == (
        "policy.shadow_updated", written.public_id, ["locks.dont", "locks.redact_mode"],
    )  # fmt: skip
    (event,) = EventRow.objects.filter(payload__policy_id=written.public_id)
    assert event.payload == {
        "policy_id": written.public_id, "level": "team", "policy_version": 1, "deleted": False, "promoted": False,
    }  # fmt: skip
    assert (event.name, ("policy.shadow_updated", 1) in catalogue.SCHEMAS) == ("policy.shadow_updated", True)


@pytest.mark.parametrize(
    ("locks", "level", "target", "raised"),
    [
        (Fields(denied_models=("x/*",)), Level.TEAM, "sales", True),
        (Fields(), Level.TEAM, "sales", True),  # an empty shadow would take away what is in force
        (Fields(denied_models=("x/*",)), Level.USER, "ada", False),
    ],
)
def test_put__in_shadow_what_workers_keep_in_memory__raises_the_version(inside, locks, level, target, raised) -> None:
    def version() -> int:
        return OrganizationRow.objects.get(id=inside.id).version

    before = version()
    put(locks, level=level, target=target)
    assert (version() > before) is raised
    before = version()
    services.delete_overlay(level=level, target=target, mode=Mode.SHADOW, actor=ALICE)
    assert (version() > before) is raised


def test_erase_target__with_a_shadow__leaves_neither_nor_a_version(inside) -> None:
    put(LOOSE, Mode.ENFORCE, Level.USER, "ada")
    put(STRICT, level=Level.USER, target="ada")
    put(STRICT, level=Level.USER, target="bob")
    assert services.erase_target(Level.USER, "ada") == 3
    assert [row.overlay.target for row in VersionRow.objects.all()] == ["bob"]
    assert [one.target for one in selectors.page(mode=Mode.SHADOW).data] == ["bob"]
