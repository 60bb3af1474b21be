"""What a lock did to a request is noted once a minute for each caller, without content."""

from __future__ import annotations

import pytest

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.engine.chat import enforcement
from gateway.governance.policies.guardrails import OutputGuard
from gateway.governance.policies.guards import Action, Guard
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Fields, Level, Overlay, RedactMode
from tenants.types import OrgRef
from tests.factories.organizations import principal


def caller() -> Call:
    return Call(ids.uuid7(), "v1", principal=principal(OrgRef(ids.uuid7(), "t_x")))


def policy(locks: Fields, defaults: Fields | None = None):
    return merge([Overlay(Level.ORG, "", locks, defaults or Fields())])


def test_note__locks_in_force__names_fields_and_owners_only() -> None:
    call = caller()
    assert enforcement.note(call, policy(Fields(dont=("Mention the merger",), redact_mode=RedactMode.STRICT)))
    assert call.reads == [
        {
            "action": "policy.enforced", "target": "policy", "count": 2,
            "subject_id": None, "persona_id": None,
            "enforced": [
                {"field": "dont", "locked_by": "org", "how": "told"},
                {"field": "redact_mode", "locked_by": "org", "how": "enforced"},
            ],
        }
    ]  # fmt: skip


def test_note__same_caller_again__is_noted_once_and_another_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, other = caller(), caller(), caller()
    again.principal = first.principal
    locked = policy(Fields(redact_mode=RedactMode.STRICT))
    assert [enforcement.note(call, locked) for call in (first, again, other)] == [True, False, True]
    assert (len(first.reads), again.reads, len(other.reads)) == (1, [], 1)
    assert enforcement.note(again, policy(Fields(dont=("Swear",))))  # other lines are news


def test_note__defaults_and_shadow__are_no_enforcement() -> None:
    call = caller()
    assert not enforcement.note(call, policy(Fields(), Fields(redact_mode=RedactMode.STRICT)))
    shadowed = policy(Fields(guardrails=(Guard("pii.email", output=Action.MASK, shadow=True),)))
    guard = OutputGuard(shadowed)
    assert guard.feed("a@b.example ") + guard.finish() == "a@b.example "
    assert not enforcement.note(call, shadowed, guard.findings)
    assert call.reads == []


def test_note__locked_guardrail_that_acted__is_named() -> None:
    call = caller()
    locked = policy(Fields(guardrails=(Guard("pii.email", output=Action.MASK),)))
    assert not enforcement.note(call, locked)
    guard = OutputGuard(locked)
    assert guard.feed("a@b.example ") + guard.finish() == "[email] "
    assert enforcement.note(call, locked, guard.findings)
    assert call.reads[0]["enforced"] == [
        {"field": "guardrails.pii.email.output", "locked_by": "org", "how": "enforced"}
    ]
