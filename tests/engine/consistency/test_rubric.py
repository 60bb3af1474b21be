"""What can be seen in an answer without a model, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.consistency import rubric, rules, scoring
from gateway.engine.consistency.types import GoldenPrompt
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.types import Cartridge

PLAIN = GoldenPrompt("Parcel", "Where is my parcel?")


def cartridge(*, do: list[str] | None = None, dont: list[str] | None = None, **style: str | None) -> Cartridge:
    raw = default_cartridge("Acme")
    raw["style"] = {**raw["style"], **style}
    raw["behavior"] = {"do": do or [], "dont": dont or []}
    return Cartridge.of(raw)


def score(answer: str, name: str, golden: GoldenPrompt = PLAIN, **style: str | None) -> float | None:
    found, _ = rubric.checks(answer, cartridge(**style), golden)
    return next((one.score for one in found if one.name == name), None)


@pytest.mark.parametrize(
    ("style", "answer", "expected"),
    [
        ("none", "It is on its way.", 1.0),
        ("none", "It is on its way \U0001f69a", 0.0),
        ("minimal", "It is on its way \U0001f69a", 1.0),
        ("minimal", "It is on its way \U0001f69a\U0001f389\U0001f389", 0.0),
        ("regular", "\U0001f69a\U0001f389\U0001f389\U0001f389", 1.0),
    ],
)
def test_emoji__as_many_as_the_style_bears__pass(style: str, answer: str, expected: float) -> None:
    assert score(answer, "emoji", emoji=style) == expected


@pytest.mark.parametrize(
    ("style", "better", "worse"),
    [
        ("high", "Your parcel will arrive tomorrow.", "Hey, it's gonna be awesome!!"),
        ("medium", "Your parcel arrives tomorrow.", "Hey dude, yeah, it's gonna be awesome lol"),
        ("low", "It's coming tomorrow, no worries.", "Furthermore, kindly ascertain the aforementioned parcel."),
    ],
)
def test_formality__of_the_wrong_register__scores_lower(style: str, better: str, worse: str) -> None:
    good, bad = score(better, "formality", formality=style), score(worse, "formality", formality=style)
    assert good == 1.0
    assert bad is not None
    assert bad < 0.6


def test_slang__only_where_the_style_speaks_of_it__is_checked() -> None:
    assert score("Yeah dude, lol", "slang", slang=None) is None
    assert score("Yeah dude, lol", "slang", slang="none") == 0.0
    assert score("Yeah dude, lol", "slang", slang="heavy") == 1.0


def test_length__against_a_limit_or_a_reference__falls_with_the_distance() -> None:
    limited = GoldenPrompt("a", "b", max_chars=10)
    assert score("ten chars.", "length", limited) == 1.0
    assert score("fifteen letters", "length", limited) == 0.5
    compared = GoldenPrompt("a", "b", reference="x" * 100)
    assert score("x" * 100, "length", compared) == 1.0
    assert score("x" * 1000, "length", compared) == 0.0
    assert 0 < (score("x" * 20, "length", compared) or 0) < 1
    assert score("whatever", "length") is None


def test_phrases__wanted_and_unwanted__are_looked_for_as_whole_words() -> None:
    golden = GoldenPrompt("a", "b", contains=("tracking number", "tomorrow"), not_contains=("refund",))
    assert score("Your TRACKING-number comes soon.", "contains", golden) == 0.5
    assert score("We never give refunds.", "not_contains", golden) == 1.0
    assert score("A refund? Sure.", "not_contains", golden) == 0.0
    found, _ = rubric.checks("A refund? Sure.", cartridge(), golden)
    assert scoring.passed(found) == 0.0


@pytest.mark.parametrize(
    ("dont", "answer", "broken"),
    [
        ("Promise refunds", "I promise you a refund by Friday.", True),
        ("Promise refunds", "I can never promise a refund.", False),
        ("Promise refunds", "I promise to look. A refund is not mine to give.", False),
        ("Use exclamation marks", "Sure thing!", True),
        ("Use emoji", "Sure \U0001f389", True),
        ("Ask a question", "Shall I look?", True),
        ('Say "no problem"', "No problem, here it is.", True),
        ('Say "no problem"', "Here it is.", False),
    ],
)
def test_dont__told_by_words_or_signs__is_kept_or_broken(dont: str, answer: str, broken: bool) -> None:
    verdicts = rules.judged(answer, [], [dont])
    assert (verdicts.broken, verdicts.kept) == (((dont,), ()) if broken else ((), (dont,)))


@pytest.mark.parametrize(
    ("do", "answer", "kept"),
    [
        ("Answer in short, concrete sentences", "It is here. It is yours.", True),
        ("Answer in short, concrete sentences", " ".join(["word"] * 60), False),
        ("Always use bullet points", "- one\n- two", True),
        ("Always use bullet points", "one, two", False),
        ("Apologize first", "I am sorry about that.", True),
        ("End with a question", "It is here.", False),
        ("Sign as “Your Acme team”", "Bye. Your Acme team", True),
    ],
)
def test_do__told_by_signs__is_kept_or_broken(do: str, answer: str, kept: bool) -> None:
    verdicts = rules.judged(answer, [do], [])
    assert bool(verdicts.kept) is kept
    assert not verdicts.unchecked


@pytest.mark.parametrize("rule", ["Ask one question when it is unclear", "Be kind", "Never apologize unless asked"])
def test_rule__under_a_condition_or_of_nothing_seen__is_left_to_a_judge(rule: str) -> None:
    assert rules.judged("Sorry? Sure!", [rule], []).unchecked == (rule,)


def test_empty_answer__scores_nothing_and_leaves_every_rule_unchecked() -> None:
    found, unchecked = rubric.checks("  \n", cartridge(do=["Be kind"], dont=["Use emoji"]), PLAIN)
    assert scoring.passed(found) == 0.0
    assert unchecked == ("Be kind", "Use emoji")
    assert scoring.scores(similarity=None, rubric=0.0, judge=1.0).consistency == 0.0


@given(st.text(max_size=300), st.sampled_from(["low", "medium", "high"]), st.sampled_from(["none", "minimal"]))
def test_checks__of_any_text__lie_between_0_and_1(answer: str, formality: str, emoji: str) -> None:
    golden = GoldenPrompt("a", "b", reference="A reference.", contains=("x",), not_contains=("y",))
    found, _ = rubric.checks(answer, cartridge(formality=formality, emoji=emoji, dont=["Say things"]), golden)
    assert found
    assert all(0.0 <= one.score <= 1.0 for one in found)


_PART = st.none() | st.floats(0, 1)


@given(_PART, st.none() | st.floats(0.01, 1), _PART)
def test_scores__are_a_mean_of_what_is_known(similarity: float | None, rubric_: float | None, judge: float | None):
    found = scoring.scores(similarity=similarity, rubric=rubric_, judge=judge)
    known = [one for one in (similarity, rubric_, judge) if one is not None]
    if not known:
        assert found.consistency is None
    else:
        assert found.consistency is not None
        assert min(known) - 1e-9 <= found.consistency <= max(known) + 1e-9
