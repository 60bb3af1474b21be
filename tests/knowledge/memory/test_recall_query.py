"""What a question names besides its words: months, years, days, attributes, possible speakers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gateway.knowledge.memory.recall_query import analyse

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday


def _ranges(text: str) -> list[tuple[str, str]]:
    return [(begin.date().isoformat(), end.date().isoformat()) for begin, end in analyse(text, NOW).ranges]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where was she in May 2023?", [("2023-05-01", "2023-06-01")]),
        ("on 7 March 2024", [("2024-03-07", "2024-03-08")]),
        ("on the 7th of March, 2024", [("2024-03-07", "2024-03-08")]),
        ("March 7th, 2024", [("2024-03-07", "2024-03-08")]),
        ("December 2024", [("2024-12-01", "2025-01-01")]),
        ("2024-03-07 or 2023-05", [("2023-05-01", "2023-06-01"), ("2024-03-07", "2024-03-08")]),
        ("in March or April 2023", [("2023-03-01", "2023-04-01"), ("2023-04-01", "2023-05-01")]),
        ("30 February 2024", [("2024-02-01", "2024-03-01")]),
        ("What happened in 2024?", [("2024-01-01", "2025-01-01")]),
        ("in the winter of 2024", [
            ("2024-12-01", "2025-01-01"), ("2025-01-01", "2025-02-01"), ("2025-02-01", "2025-03-01"),
        ]),
        ("yesterday", [("2026-11-21", "2026-11-22")]),
        ("last week", [("2026-11-09", "2026-11-16")]),
        ("this month", [("2026-11-01", "2026-12-01")]),
        ("last month", [("2026-10-01", "2026-11-01")]),
        ("last year", [("2025-01-01", "2026-01-01")]),
        ("for 2,024 crowns or $2024", []),
        ("room 20245", []),
    ],
)  # fmt: skip
def test_analyse__time_named__is_that_stretch(text: str, expected: list[tuple[str, str]]) -> None:
    assert _ranges(text) == expected
    assert analyse(text, NOW).months == ()


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("What did she do in May?", (5,)),
        ("Every December or jan. 3", (1, 12)),
        ("last summer", (6, 7, 8)),
        ("May I march on?", ()),
        ("in case she may come", ()),
        ("the decor, the mayor and a sept", (9,)),
    ],
)
def test_analyse__month_without_a_year__is_its_number(text: str, months: tuple[int, ...]) -> None:
    assert (analyse(text, NOW).months, analyse(text, NOW).ranges) == (months, ())


def test_analyse__last_month_in_january__is_december_before() -> None:
    (stretch,) = analyse("last month", datetime(2026, 1, 31, tzinfo=UTC)).ranges
    assert [moment.date() for moment in stretch] == [date(2025, 12, 1), date(2026, 1, 1)]


def test_analyse__dates__do_not_belong_to_the_topic() -> None:
    assert analyse("Where did we eat in May 2023?", NOW).topic.split() == ["Where", "did", "we", "eat", "in", "?"]


def test_analyse__words__are_folded_and_lose_their_possessive() -> None:
    words = analyse("Ruben's dog and JEANNE d'Arc’s horse; Übung", NOW).words
    assert {"ruben", "ruben's", "jeanne", "d'arc", "übung", "horse"} <= set(words)


def test_analyse__attributes__are_in_both_numbers_and_without_common_words() -> None:
    attributes = set(analyse("Which hobbies and phone has she?", NOW).attributes)
    assert {"hobby", "hobbies", "phone", "phones"} <= attributes
    assert not {"which", "and", "has", "she"} & attributes


@pytest.mark.parametrize("text", ["", "\0", "🙂" * 100, "9" * 4_000, "may " * 1_000, "2024-13-45 99 May 0000"])
def test_analyse__any_text__has_an_answer(text: str) -> None:
    for begin, end in analyse(text, NOW).ranges:
        assert begin < end
