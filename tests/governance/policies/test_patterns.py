"""The organization's own patterns: what may be saved, why not, and that what was saved ends in time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.governance.policies.guardrails import blocklists, patterns
from gateway.governance.policies.guards import Action, Guard

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
    assert patterns.problem(pattern) is None


@pytest.mark.parametrize(("pattern", "why"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_problem__of_what_cannot_be_saved__says_why(pattern: str, why: str) -> None:
    found = patterns.problem(pattern)
    assert found is not None
    assert found.startswith(why)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab1 .*+?{}()[]|\\^$,-", min_size=1, max_size=14))
def test_problem__any_text__is_saved_only_when_its_width_holds(pattern: str) -> None:
    if patterns.problem(pattern) is None:
        assert 1 <= patterns.width(pattern) <= patterns.MAX_WIDTH
        for match in patterns.compiled(pattern).finditer("ab1 ab1 aabb11 .*(ab)" * 5, timeout=5):
            assert 1 <= len(match.group()) <= patterns.width(pattern)


def test_find__a_pattern_that_does_not_end__is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "width", lambda _: 200)
    detectors, _ = blocklists.detectors.__wrapped__(Guard("blocklist.x", Action.BLOCK, patterns=("(x|xx){1,90}y",)))
    began = time.process_time()
    with pytest.raises(blocklists.Overdue):
        detectors[0].find("x" * 4_000, 0)
    assert time.process_time() - began < 5
