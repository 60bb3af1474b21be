"""The organization's overlay: stored whole, versioned, audited, in force for the next request."""

from __future__ import annotations

import pytest

from gateway.core.journal import Actor
from gateway.governance.policies import selectors, services
from gateway.governance.policies.errors import InvalidOverlay, OverlayConflict
from gateway.governance.policies.models import OverlayRow
from gateway.governance.policies.types import Fields, RedactMode, RequestedPolicy
from gateway.platform.audit.models import AuditRow
from gateway.platform.events.models import EventRow
from tenants.context import scope

ALICE = Actor("key", "key_alice")


@pytest.fixture
def inside(acme):
    with scope(acme):
        OverlayRow.objects.all().delete()  # whatever others committed; rolled back with the test
        yield acme


def put(**fields):
    return services.put_overlay(**{"locks": Fields(), "defaults": Fields(), "actor": ALICE, **fields})


def test_overlay__never_written__is_empty_at_version_0(inside) -> None:
    overlay = selectors.overlay()
    assert (overlay.version, overlay.locks, overlay.defaults, overlay.public_id) == (0, Fields(), Fields(), None)


def test_put_overlay__locks__are_in_force_and_audited(inside) -> None:
    overlay = put(locks=Fields(redact_mode=RedactMode.STRICT, dont=("Swear",)), precedence=80)
    assert (overlay.version, overlay.precedence, overlay.updated_by) == (1, 80, "key:key_alice")
    policy = selectors.effective(persona_do=("Swear",), request=RequestedPolicy(redact_mode="off"))
    assert (policy.redact_mode, policy.do, policy.dont) == (RedactMode.STRICT, (), ("Swear",))
    entry = AuditRow.objects.get(action="policy.updated", target=overlay.public_id)
    assert entry.target == overlay.public_id
    assert entry.detail["changed"] == ["locks.dont", "locks.redact_mode", "precedence"]
    assert entry.detail["locks"] == {"dont": ["Swear"], "redact_mode": "strict"}
    event = EventRow.objects.get(name="policy.updated", payload__policy_id=overlay.public_id)
    assert event.payload == {"policy_id": overlay.public_id, "level": "org", "policy_version": 1}


def test_put_overlay__again__replaces_the_whole(inside) -> None:
    put(locks=Fields(dont=("Swear",)))
    overlay = put(defaults=Fields(max_output_tokens=5))
    assert (overlay.version, overlay.locks, overlay.defaults) == (2, Fields(), Fields(max_output_tokens=5))
    assert selectors.overlay() == overlay
    assert OverlayRow.objects.count() == 1


@pytest.mark.parametrize("expected", [0, 2])
def test_put_overlay__expected_version_is_another__is_409_and_nothing_changes(inside, expected) -> None:
    written = put(locks=Fields(dont=("Swear",)), expected_version=0)
    with pytest.raises(OverlayConflict) as refused:
        put(expected_version=expected)
    assert refused.value.extra == {
        "current_version": 1, "updated_by": "key:key_alice", "updated_at": written.updated_at.isoformat(),
        "changed": ["locks.dont"] if expected == 0 else [],
        "current": {"locks": {"dont": ["Swear"]}, "defaults": {}, "precedence": 50},
    }  # fmt: skip
    assert selectors.overlay().locks == Fields(dont=("Swear",))
    assert AuditRow.objects.filter(action="policy.updated", target=selectors.overlay().public_id).count() == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"precedence": 101}, "#/precedence"), ({"target": "x"}, "#/target"), ({"level": "team"}, "#/target")],
)
def test_put_overlay__bad_field__is_named(inside, fields, pointer) -> None:
    with pytest.raises(InvalidOverlay) as refused:
        put(**fields)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert OverlayRow.objects.count() == 0


def test_overlay__of_another_organization__is_not_in_force(acme, globex) -> None:
    with scope(acme):
        put(locks=Fields(redact_mode=RedactMode.STRICT))
    with scope(globex):
        assert selectors.effective().redact_mode == RedactMode.DEFAULT


def test_effective__is_one_query(inside, django_assert_num_queries) -> None:
    put(locks=Fields(dont=("Swear",)))
    with django_assert_num_queries(1):
        selectors.effective()
