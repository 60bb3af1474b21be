"""From bytes to passages: nothing is lost, nothing hangs, and what cannot be read says why."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.documents import reading
from gateway.engine.documents.errors import UnreadableDocument
from gateway.engine.documents.passages import MOST, Page, cut
from gateway.engine.documents.types import Media, Passage
from tests.engine.documents.files import pdf


def passages(text: str, *, markdown: bool = True) -> list[Passage]:
    return list(cut([Page(text)], markdown=markdown))


def test_cut__markdown__keeps_the_way_of_headings_and_ignores_code() -> None:
    text = "# Handbook\nWelcome.\n\n## Leave\nTwo weeks.\n```\n# no heading\n```\n### Sick\nCall in.\n# Other\nLast."
    assert [(one.position, one.heading, one.text) for one in passages(text)] == [
        (1, "Handbook", "Welcome."),
        (2, "Handbook › Leave", "Two weeks.\n```\n# no heading\n```"),
        (3, "Handbook › Leave › Sick", "Call in."),
        (4, "Other", "Last."),
    ]


def test_cut__plain_text__knows_no_headings() -> None:
    assert [(one.heading, one.text) for one in passages("# Not a heading\n\nText", markdown=False)] == [
        (None, "# Not a heading\n\nText")
    ]


def test_cut__a_long_paragraph__breaks_between_sentences() -> None:
    sentences = [f"Sentence number {number} says something of medium length." for number in range(60)]
    found = passages(" ".join(sentences))
    assert len(found) > 2
    assert all(len(one.text) <= MOST and one.text.endswith(".") for one in found)
    assert " ".join(one.text for one in found) == " ".join(sentences)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300), max_size=30))
@settings(deadline=None)
def test_cut__any_text__loses_no_word_and_keeps_the_limit(paragraphs: list[str]) -> None:
    text = "\n\n".join(paragraphs)
    found = passages(text, markdown=False)
    assert "".join("".join(one.text.split()) for one in found) == "".join(text.split())
    assert [one.position for one in found] == list(range(1, len(found) + 1))
    assert all(0 < len(one.text) <= MOST for one in found)


def test_pages__a_pdf__has_the_text_of_each_page() -> None:
    found = reading.pages(pdf("The first page.", "The second page."), Media.PDF)
    assert [(page.number, page.text.strip()) for page in found] == [(1, "The first page."), (2, "The second page.")]


@pytest.mark.parametrize(
    ("data", "media", "code"),
    [
        (b"%PDF-1.4 not really", Media.PDF, "document_unreadable"),
        (b"GIF89a", Media.PDF, "document_unreadable"),
        (pdf(""), Media.PDF, "document_empty"),
        (pdf("Secret.", password="x"), Media.PDF, "document_encrypted"),
        (b"\xff\x00\xfa", Media.TEXT, "document_not_text"),
        (b"  \n ", Media.MARKDOWN, "document_empty"),
    ],
    ids=["broken", "another-kind", "pictures-only", "password", "binary", "blank"],
)
def test_pages__what_cannot_be_read__says_why(data: bytes, media: Media, code: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        reading.pages(data, media)
    assert refused.value.code == code


def test_pages__utf16_with_a_mark__is_read() -> None:
    (page,) = reading.pages("Größe".encode("utf-16"), Media.TEXT)
    assert page.text == "Größe"
