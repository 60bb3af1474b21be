"""Citation markers leave the answer, whatever pieces it came in, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.chat.citations import CitationFilter


def run(*pieces: str, known: int = 3) -> tuple[str, tuple[int, ...], int]:
    citations = CitationFilter(known)
    text = "".join(citations.feed(piece) for piece in pieces) + citations.finish()
    return text, citations.cited, citations.unknown


@pytest.mark.parametrize(
    ("text", "shown", "cited"),
    [
        ("You live in Berlin. [m1]", "You live in Berlin.", (1,)),
        ("You live in Berlin [m1].", "You live in Berlin.", (1,)),
        ("You live in Berlin[m2]. And [m1] so on", "You live in Berlin. And so on", (2, 1)),
        ("Both. [m1][m3] Next", "Both. Next", (1, 3)),
        ("Both. [m1] [m3] Next", "Both. Next", (1, 3)),
        ("Both [m1, m3]; one [m3].", "Both; one.", (1, 3)),
        ("Twice [m1] and [m1].", "Twice and.", (1,)),
        ("[m1] At the start", "At the start", (1,)),
        ("A\n[m2]  B", "A\nB", (2,)),
        ("[m1]", "", (1,)),
        ("Only blanks stay  ", "Only blanks stay  ", ()),
        ("a [link](http://x) [m1](http://y) [m1] z", "a [link](http://x) [m1](http://y) z", (1,)),
        (r"escaped \[m1] stays", r"escaped \[m1] stays", ()),
        ("array[0], [mx], [m], [], [1], [M1], [m 1], [m1", "array[0], [mx], [m], [], [1], [M1], [m 1], [m1", ()),
        ("[m1, then more]", "[m1, then more]", ()),
        ("- [ ] todo\n- [x] done [m3]", "- [ ] todo\n- [x] done", (3,)),
        ("[[m1]]", "[[m1]]", ()),
        ("[m1234567]", "[m1234567]", ()),
        ("open [ [m1]", "open [", (1,)),
    ],
)
def test_markers__in_one_piece__are_stripped_and_named(text, shown, cited):
    assert run(text)[:2] == (shown, cited)


def test_markers__of_memories_that_were_not_listed__are_stripped_and_not_cited():
    assert run("A [m0] b [m4] c [m99] d [m2].") == ("A b c d.", (2,), 3)


PARTS = st.sampled_from(
    [
        "[m1]",
        "[m2]",
        "[m12]",
        "[m1, m2]",
        "[",
        "]",
        "(",
        ")",
        "m",
        "1",
        ",",
        " ",
        "  ",
        "\n",
        "\t",
        "word",
        ".",
        "\\",
        "[a](b)",
        "é",
        "[m",
    ]
)


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(PARTS, max_size=25), data=st.data())
def test_filter__any_cut_into_pieces__gives_the_same_answer(parts, data):
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert run(*pieces) == run(text) == run(*text)


@given(st.text(alphabet=st.characters(blacklist_characters="[")))
def test_filter__text_without_brackets__is_untouched(text):
    assert run(text) == (text, (), 0)


def test_filter__ordinary_text__is_held_back_by_no_more_than_its_last_blanks():
    citations = CitationFilter(1)
    assert citations.feed("Hello there ") == "Hello there"
    assert citations.feed("[m") == ""
    assert citations.feed("1] friend") == " friend"
    assert citations.feed(" [not one") == " [not one"
    assert citations.finish() == ""
