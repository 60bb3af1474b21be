"""Overlays of teams, subjects and conversations: which of them bind a request, their versions, and their end."""

from __future__ import annotations

import pytest

from gateway.core import ids
from gateway.core.journal import Actor
from gateway.governance.access import teams
from gateway.governance.policies import selectors, services
from gateway.governance.policies.errors import InvalidOverlay, OverlayConflict, OverlayNotFound
from gateway.governance.policies.guards import Action, Guard
from gateway.governance.policies.models import OverlayRow, VersionRow
from gateway.governance.policies.types import Fields, Level, RedactMode
from gateway.platform.audit.models import AuditRow
from tenants.context import scope
from tenants.models import OrganizationRow

ALICE = Actor("key", "key_alice")
CONVERSATION = ids.uuid7()
TARGETS = {Level.TEAM: "sales", Level.USER: "ada/1", Level.SESSION: ids.public("conv", CONVERSATION)}


@pytest.fixture
def inside(acme):
    with scope(acme):
        teams.create("sales", name="Sales", actor=ALICE)
        yield acme


def put(level: Level, target: str, **fields):
    return services.put_overlay(
        **{"level": level, "target": target, "locks": Fields(), "defaults": Fields(), "actor": ALICE, **fields}
    )


@pytest.mark.parametrize("level", list(TARGETS))
def test_effective__overlay_of_a_level__binds_its_own_requests_only(inside, globex, level) -> None:
    put(level, TARGETS[level], locks=Fields(dont=("Swear",)))
    named = {
        Level.TEAM: {"teams": ("sales", "others")}, Level.USER: {"subject_id": "ada/1"},
        Level.SESSION: {"conversation_id": CONVERSATION},
    }  # fmt: skip
    for one, request in named.items():
        assert selectors.effective(**request).dont == (("Swear",) if one is level else ())
    assert selectors.effective().dont == ()
    assert selectors.effective(conversation_id=TARGETS[Level.SESSION]).dont == (
        ("Swear",) if level is Level.SESSION else ()
    )
    with scope(globex):
        assert selectors.effective(**named[level]).dont == ()


def test_effective__all_four_levels__is_one_query_and_names_each(inside, django_assert_num_queries) -> None:
    services.put_overlay(locks=Fields(dont=("One",)), defaults=Fields(redact_mode=RedactMode.OFF), actor=ALICE)
    for level, target in TARGETS.items():
        put(level, target, locks=Fields(dont=(level.value,)), defaults=Fields(max_output_tokens=7))
    with django_assert_num_queries(1):
        policy = selectors.effective(teams=("sales",), subject_id="ada/1", conversation_id=CONVERSATION)
    assert policy.dont == ("One", "team", "user", "session")
    owners = {line.value: line.locked_by for line in policy.trace if line.field == "dont"}
    assert owners == {
        "One": "org", "team": "team:sales", "user": "user:ada/1", "session": f"session:{TARGETS[Level.SESSION]}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "target", "code"),
    [
        (Level.TEAM, "nobody", "unknown_team"),
        (Level.TEAM, "sa\0les", "unknown_team"),
        (Level.USER, " ada", "invalid_subject_id"),
        (Level.USER, "a\nda", "invalid_subject_id"),
        (Level.SESSION, "conv_1", "conversation"),
        (Level.SESSION, "mem_01jd3v7x5k8m9n0p1q2r3s4t5v", "conversation"),
    ],
)
def test_put_overlay__target_that_cannot_be__is_refused_and_nothing_is_there(inside, level, target, code) -> None:
    with pytest.raises(InvalidOverlay) as refused:
        put(level, target)
    assert [problem.code for problem in refused.value.problems] == [code]
    assert OverlayRow.objects.count() == 0


def test_put_overlay__bad_guardrails__names_each(inside) -> None:
    bad = (
        Guard("blocklist.mine", Action.BLOCK, patterns=("(a{1,10}){1,9}b", "x*", "[")),
        Guard("length", Action.MASK, Action.BLOCK),
        Guard("secrets"),
    )
    with pytest.raises(InvalidOverlay) as refused:
        put(Level.TEAM, "sales", locks=Fields(guardrails=bad))
    found = {(problem.pointer, problem.code) for problem in refused.value.problems}
    assert found == {
        ("#/locks/guardrails/blocklist", "invalid_pattern"),
        ("#/locks/guardrails/length", "invalid"),
        ("#/locks/guardrails/length", "missing"),
        ("#/locks/guardrails/secrets", "missing"),
    }
    assert OverlayRow.objects.count() == 0


def test_versions__of_every_write__are_kept_with_what_changed(inside, globex) -> None:
    put(Level.TEAM, "sales", locks=Fields(dont=("Swear",)))
    put(Level.TEAM, "sales", locks=Fields(dont=("Swear", "Shout")), precedence=70)
    services.delete_overlay(level=Level.TEAM, target="sales", actor=ALICE)
    found = selectors.versions(level=Level.TEAM, target="sales").data
    assert [(one.overlay.version, one.changed, one.deleted) for one in found] == [
        (3, ("locks.dont", "precedence"), True),
        (2, ("locks.dont", "precedence"), False),
        (1, ("locks.dont",), False),
    ]
    assert found[1].overlay.locks == Fields(dont=("Swear", "Shout"))
    with scope(globex):
        assert selectors.versions().data == []


def test_delete_overlay__then_write_again__goes_on_counting(inside) -> None:
    put(Level.USER, "ada/1", locks=Fields(dont=("Swear",)))
    services.delete_overlay(level=Level.USER, target="ada/1", actor=ALICE, expected_version=1)
    assert selectors.effective(subject_id="ada/1").dont == ()
    assert (selectors.standing(Level.USER, "ada/1"), selectors.count()) == (None, 0)
    with pytest.raises(OverlayNotFound):
        services.delete_overlay(level=Level.USER, target="ada/1", actor=ALICE)
    assert put(Level.USER, "ada/1", expected_version=0).version == 3


def test_delete_overlay__of_another_version__is_409_and_stays(inside) -> None:
    put(Level.USER, "ada/1", locks=Fields(dont=("Swear",)))
    with pytest.raises(OverlayConflict):
        services.delete_overlay(level=Level.USER, target="ada/1", actor=ALICE, expected_version=4)
    assert selectors.effective(subject_id="ada/1").dont == ("Swear",)


def test_audit__of_one_subject__keeps_names_not_sentences(inside) -> None:
    put(Level.USER, "ada/1", locks=Fields(dont=("Mention the divorce",)))
    entry = AuditRow.objects.get(action="policy.updated")
    assert (entry.subject_id, entry.detail["locks"]) == ("ada/1", ["dont"])
    assert "divorce" not in str(entry.detail)


def test_erase_target__of_a_subject__leaves_no_row(inside) -> None:
    put(Level.USER, "ada/1", locks=Fields(dont=("Swear",)))
    put(Level.USER, "bob", locks=Fields(dont=("Swear",)))
    assert services.erase_target(Level.USER, "ada/1") == 2
    assert services.erase_target(Level.USER, "ada/1") == 0
    assert [row.overlay.target for row in VersionRow.objects.all()] == ["bob"]


@pytest.mark.parametrize(
    ("level", "fields", "raised"),
    [
        (Level.TEAM, Fields(denied_tools=("shell*",)), True),
        (Level.TEAM, Fields(dont=("Swear",)), False),
        (Level.USER, Fields(denied_tools=("shell*",)), False),
    ],
)
def test_put_overlay__what_workers_keep_in_memory__raises_the_version(inside, level, fields, raised) -> None:
    def version() -> int:
        return OrganizationRow.objects.get(id=inside.id).version

    before = version()
    put(level, TARGETS[level], locks=fields)
    assert (version() > before) is raised


def test_of_teams__organization_and_teams__without_subjects(inside) -> None:
    services.put_overlay(locks=Fields(), defaults=Fields(), actor=ALICE)
    for level, target in TARGETS.items():
        put(level, target)
    assert sorted(overlay.name for overlay in selectors.of_teams()) == ["org", "team:sales"]
