"""Redirects before the model and after it: whole words, however they are written and however the answer is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.safety import OutputWatch, Redirect, check_output, redirect
from gateway.knowledge.personas.types import Cartridge
from gateway.knowledge.personas.words import placed, words

MEDICAL, TAX = "No medical advice here, ask a doctor.", "Tax is not mine."


def persona(*entries: tuple[str, str]) -> Cartridge:
    raw = default_cartridge("Acme")
    raw["safetyRedirects"] = [{"pattern": pattern, "redirect": text} for pattern, text in entries]
    return Cartridge.of(raw)


PERSONA = persona(("medical|légal advice|医疗", MEDICAL), ("tax| medical", TAX))


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("I have a MEDICAL question", "medical"),
        ("some legal \n advice?", "légal advice"),
        ("LÉGAL-ADVICE", "légal advice"),
        ("le\u0301gal advice", "légal advice"),
        ("\uff4d\uff45\uff44\uff49\uff43\uff41\uff4c", "medical"),
        ("me\u200bdi\u00adcal", "medical"),
        ("关于医疗问题", "医疗"),
        ("(tax)", "tax"),
    ],
)
def test_redirect__a_term_as_whole_words__is_found(text, term) -> None:
    found = redirect(PERSONA, text)
    assert found is not None
    assert (found.term, found.text) == (term, TAX if term == "tax" else MEDICAL)


@pytest.mark.parametrize("text", ["", "paramedical", "medically", "legal", "advice, legal", "taxi", "医 院 疗", "."])
def test_redirect__no_whole_term__is_none(text) -> None:
    assert redirect(PERSONA, text) is None
    assert check_output(PERSONA, text) is None


def test_redirect__two_that_apply__is_the_first_of_the_cartridge() -> None:
    assert redirect(PERSONA, "tax and medical") == Redirect(0, "medical", MEDICAL)
    assert redirect(PERSONA, "tax") == Redirect(1, "tax", TAX)
    assert redirect(PERSONA, "tax").pointer == "/safetyRedirects/1"


def test_redirect__a_pattern_that_would_be_a_regular_expression__is_only_words() -> None:
    hostile = persona(("(a+)+$", "No."), ("||", "Never."), (".*", "Never."))
    assert redirect(hostile, "a" * 5_000 + "!") is None
    assert redirect(hostile, "a") == Redirect(0, "(a+)+$", "No.")


def test_check_output__the_redirect_itself__is_no_breach() -> None:
    assert check_output(PERSONA, f"Sorry. {MEDICAL.upper()} Anything else?") is None
    assert check_output(PERSONA, f"{MEDICAL} But medical school is fun.") == Redirect(0, "medical", MEDICAL)
    assert check_output(PERSONA, "No medical advice here.") == Redirect(0, "medical", MEDICAL)


def test_watch__a_term_in_pieces__is_never_released() -> None:
    watch = OutputWatch(PERSONA)
    sent = [watch.feed(piece) for piece in ("Take some ", "lé", "gal", " adv", "ice", " now", " and more")]
    assert "".join(sent) == f"Take some \n\n{MEDICAL}"
    assert watch.hit == Redirect(0, "légal advice", MEDICAL)
    assert watch.finish() == ""


def test_watch__words_that_only_begin_like_a_term__come_through() -> None:
    watch = OutputWatch(PERSONA)
    sent = [watch.feed(piece) for piece in ("A lég", "al", " matter", "s, medic")]
    assert sent == ["A ", "", "légal matter", "s, "]
    assert (watch.finish(), watch.hit) == ("medic", None)


def test_watch__nothing_to_redirect__holds_nothing_back() -> None:
    watch = OutputWatch(persona())
    assert (watch.feed("medical"), watch.finish(), watch.hit) == ("medical", "", None)


_PIECES = st.lists(
    st.sampled_from(
        ["medical", "legal", "légal", " ", "advice", MEDICAL, "No ", "tax", "Tax is not mine", "me", "dical", "\u0301",
         "医", "疗", ", ", "\n", "hello", "\u200b", "ask a doctor"]
    ),
    max_size=12,
)  # fmt: skip


@settings(deadline=None)
@given(_PIECES, st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_watch__however_it_is_cut__says_the_same_as_the_whole(pieces, cuts) -> None:
    text = "".join(pieces)
    whole = OutputWatch(PERSONA)
    at_once = whole.feed(text) + whole.finish()
    watch, sent, rest, step = OutputWatch(PERSONA), "", text, 0
    while rest:
        size = cuts[step % len(cuts)]
        sent, rest, step = sent + watch.feed(rest[:size]), rest[size:], step + 1
    sent += watch.finish()
    assert (sent, watch.hit) == (at_once, whole.hit)
    assert watch.hit == check_output(PERSONA, text)
    if watch.hit is None:
        assert sent == text
    else:
        assert check_output(PERSONA, sent.removesuffix(watch.hit.text)) is None


@settings(deadline=None)
@given(st.text(max_size=60))
def test_placed__any_text__are_its_words_in_their_places(text) -> None:
    found = list(placed(text))
    assert [word for word, _, _ in found] == words(text)
    assert all(words(text[began:ended]) == [word] for word, began, ended in found)
