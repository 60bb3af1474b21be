"""Two policies on one request: what differs, decision by decision, and that the texts are not read for nothing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from gateway.engine.evaluation import verdicts
from gateway.governance.policies import guardrails
from gateway.governance.policies.guards import Action, Guard
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Fields, Level, Overlay
from tests.governance.policies.test_merge import OVERLAYS

ASKED = {"targets": (("openai/gpt-5",), ("openai/gpt-5",)), "tools": ("search",), "texts": ("Mail ada@example.com",)}


def policy(locks: Fields | None = None):
    return merge([Overlay(Level.ORG, "", locks or Fields(), Fields())])


@settings(max_examples=60, deadline=None)
@given(OVERLAYS)
def test_both__the_same_policy_twice__changes_nothing_and_is_json(overlays) -> None:
    merged = merge(overlays)
    before, after = verdicts.both(merged, merged, **ASKED)
    assert before.changes(after) == {}
    if merged.model_problem("openai/gpt-5") or merged.tool_problem("search"):
        assert before.code == "policy_refused"
    other, _ = verdicts.both(policy(), policy(), **ASKED)
    assert msgspec.json.decode(msgspec.json.encode(other.changes(before))).keys() == other.changes(before).keys()


def test_both__refused_by_one__says_which_line_and_no_model() -> None:
    before, after = verdicts.both(policy(), policy(Fields(denied_models=("openai/*",))), **ASKED)
    assert before.changes(after) == {
        "code": {"before": None, "after": "policy_refused"},
        "line": {"before": None, "after": "denied_models"},
        "model": {"before": "openai/gpt-5", "after": None},
    }


@pytest.mark.parametrize(
    ("guards", "read"),
    [((), 1), ((Guard("pii.email", None, Action.MASK),), 1), ((Guard("pii.email", Action.BLOCK),), 2)],
    ids=["none", "over the answer", "over what is sent"],
)
def test_both__guardrails_over_what_is_sent__are_run_twice_only_where_they_differ(monkeypatch, guards, read) -> None:
    seen: list[object] = []
    inspect = guardrails.inspect_input
    monkeypatch.setattr(
        guardrails, "inspect_input", lambda policy, texts, names: (seen.append(texts), inspect(policy, texts, names))[1]
    )
    before, after = verdicts.both(policy(), policy(Fields(guardrails=guards)), **ASKED)
    assert len(seen) == read
    assert set(before.changes(after)) <= {"code", "line", "model", "guardrails", "answer_guardrails"}
