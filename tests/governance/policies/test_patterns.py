"""The organization's own patterns: what may be saved, why not, and that what was saved ends in time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.governance.policies.errors import InvalidOverlay
from gateway.governance.policies.guardrails import GuardrailBlocked, OutputGuard, blocklists, inspect_input, patterns
from gateway.governance.policies.guardrails.budgets import Budget
from gateway.governance.policies.guards import Action, Guard
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import EffectivePolicy, Fields, Level, Overlay
from gateway.governance.policies.validation import check_content

SAVED = [
    r"\bproject\s{1,3}x[0-9]{1,5}\b", "a|b", "foo.{0,40}bar", "^confidential", r"[\w-]{1,60}\.corp", r"a\{b",
    "(?i)abc$", r"(?:red|green|blue)-[0-9]{4}", "(?>ab){1,9}",
]  # fmt: skip
REFUSED = [
    ("[", "is not a regular expression"), ("(?P<n", "is not a regular expression"), (r"\p", "is not a regular"),
    ("a{e<=1}", "has a brace"), (r"\\{e<=1}", "has a brace"),
    ("(?=a)b", "uses look-around"), ("(?<!a)b", "uses look-around"), (r"(.)\1", "uses look-around"),
    ("(?P<n>a)(?(n)b)", "uses look-around"),
    ("x*", "matches nothing at all"), (r"\b", "matches nothing at all"), ("a?", "matches nothing at all"),
    ("a+", "may match more than 200"), (".*secret", "may match more than 200"), ("a{1,201}", "may match more than 200"),
    ("(a+)+$", "may match more than 200"), ("a" * 301, "is longer than 300"),
    ("(x|xx){1,50}y", "takes too long"), (r"(\w{1,20}\s?){1,9}z$", "takes too long"),
    ("(a|a){1,30}b", "takes too long"),
    ("([a-z]{1,9}){1,20}[0-9]", "takes too long"), (r"(\d{1,9}-?){1,19}x", "takes too long"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", SAVED)
def test_problem__of_a_sound_pattern__is_none(pattern: str) -> None:
    assert patterns.problem(pattern, Budget(60)) is None


@pytest.mark.parametrize(("pattern", "why"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_problem__of_what_cannot_be_saved__says_why(pattern: str, why: str) -> None:
    found = patterns.problem(pattern, Budget(60))
    assert found is not None
    assert found.startswith(why)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab1 .*+?{}()[]|\\^$,-", min_size=1, max_size=14))
def test_problem__any_text__is_saved_only_when_its_width_holds(pattern: str) -> None:
    if patterns.problem(pattern, Budget(60)) is None:
        assert 1 <= patterns.width(pattern) <= patterns.MAX_WIDTH
        for match in patterns.compiled(pattern).finditer("ab1 ab1 aabb11 .*(ab)" * 5, timeout=5):
            assert 1 <= len(match.group()) <= patterns.width(pattern)


def test_find__a_pattern_that_does_not_end__is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "width", lambda _: 200)
    guard = Guard("blocklist.x", Action.BLOCK, patterns=("(x|xx){1,90}y",))
    blocklists._made.cache_clear()
    detectors, _ = blocklists.detectors(guard, Budget(60))
    began = time.process_time()
    with pytest.raises(blocklists.Overdue):
        detectors[0].find("x" * 4_000, 0)
    assert time.process_time() - began < 5


def slow(lists: int, each: int) -> tuple[Guard, ...]:
    """Blocklists of patterns that are each in time, and long together."""
    return tuple(
        Guard(
            f"blocklist.{number}", Action.BLOCK, Action.BLOCK,
            patterns=tuple(f"[a-z]{{1,60}}[a-z]{{1,60}}[!?{chr(0x400 + number * each + at)}]" for at in range(each)),
        )
        for number in range(lists)
    )  # fmt: skip


def policy(guards: tuple[Guard, ...]) -> EffectivePolicy:
    return merge([Overlay(Level.ORG, "", Fields(guardrails=guards), Fields())])


def test_check__more_patterns_than_an_overlay_has__names_the_bound_and_tries_none() -> None:
    began = time.process_time()
    with pytest.raises(InvalidOverlay) as refused:
        check_content(50, Fields(guardrails=slow(20, 20)), Fields())
    assert [(one.pointer, one.code) for one in refused.value.problems] == [
        ("#/locks/guardrails/blocklist", "too_many_patterns")
    ]
    assert "at most 100 patterns, this one has 400" in refused.value.problems[0].message
    assert time.process_time() - began < 0.5


def test_check__patterns_that_are_long_together__end_with_the_save_s_budget() -> None:
    began = time.process_time()
    with pytest.raises(InvalidOverlay) as refused:
        check_content(50, Fields(guardrails=slow(5, 20)), Fields())
    assert {one.code for one in refused.value.problems} == {"invalid_pattern"}
    assert "could not be tried" in refused.value.problems[-1].message
    assert time.process_time() - began < 2 * patterns.SAVE_S


def test_inspect__patterns_that_are_long_together__are_overdue_within_the_texts_budget() -> None:
    text = "a" * 4_100
    allowed = Budget.of_text(len(text)).left
    began = time.process_time()
    verdict = inspect_input(policy(slow(5, 20)), [text])
    assert verdict.blocked is not None
    assert verdict.blocked.detail == {"overdue": True}
    assert time.process_time() - began < 2 * allowed + 0.2


def test_guard__a_streamed_answer__takes_no_more_than_its_budget_and_is_then_blocked() -> None:
    text = "a" * 500
    allowed = Budget.of_text(len(text)).left
    guard, began, longest = OutputGuard(policy(slow(5, 20))), time.process_time(), 0.0
    given = ""
    with pytest.raises(GuardrailBlocked):
        for at in range(0, len(text), 5):
            before = time.process_time()
            given += guard.feed(text[at : at + 5])
            longest = max(longest, time.process_time() - before)
        given += guard.finish()
    assert longest < 2 * Budget.of_text().left + 0.1
    assert time.process_time() - began < 2 * allowed + 0.2


def test_guard__sound_patterns_over_a_long_answer__have_time_enough() -> None:
    sound = Guard("blocklist.sound", None, Action.BLOCK, patterns=tuple(f"nv-[0-9]{{3,5}}{at}" for at in range(20)))
    guard, text = OutputGuard(policy((sound,))), "A sentence of an answer, as they are. " * 500
    given = "".join(guard.feed(text[at : at + 4]) for at in range(0, len(text), 4)) + guard.finish()
    assert given == text
    assert guard.findings == ()
