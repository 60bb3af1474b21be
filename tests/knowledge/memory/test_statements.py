"""What a person's message states, read out by rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.knowledge.memory.statements import Statement, read


def found(text: str) -> list[tuple[str, str | None, str | None]]:
    return [(one.text, one.slot, one.value) for one in read(text)]


@pytest.mark.parametrize(
    ("said", "slot", "value"),
    [
        ("My name is Dana.", "identity.name", "Dana"),
        ("Actually, I live in Lisbon now.", "home.city", "Lisbon"),
        ("I moved to Berlin in March.", "home.city", "Berlin"),
        ("I work for St. John's clinic.", "work.employer", "St. John's clinic"),
        ("I'm a teacher.", "work.title", "teacher"),
        ("I was born on 3 May 1990.", "identity.birthday", "3 May 1990"),
        ("I'm allergic to peanuts and bees!", "health.allergy", "peanuts"),
        ("My favourite colour is teal because it is calm.", "favorite_colour", "teal"),
        ("my dog is called Rex", "people.dog.name", "Rex"),
        ("Please remember that the door code is 1234.", None, None),
    ],
)
def test_read__a_fact__has_its_slot_and_value(said: str, slot: str | None, value: str | None) -> None:
    ((_, *rest),) = found(said)
    assert rest == [slot, value]


@pytest.mark.parametrize(
    "said",
    [
        "What's the weather?",
        "Can you book a table for my wife?",
        "If I had time I would travel.",
        "I think so.",
        "Thanks!",
        "The moon is far away.",
        "Ich wohne in Wien.",
        "",
        "   \n\n ?!",
    ],
)
def test_read__nothing_of_the_person__finds_nothing(said: str) -> None:
    assert found(said) == []


def test_read__two_thoughts_in_a_sentence__are_two_statements_with_their_kinds() -> None:
    said = list(read("Hi! My name is Dana and I live in Lisbon. I love hiking. We're going to Norway next month. Bye."))
    assert [(one.text, one.type) for one in said] == [
        ("My name is Dana", "fact"),
        ("I live in Lisbon.", "fact"),
        ("I love hiking.", "preference"),
        ("We're going to Norway next month.", "future_event"),
    ]


@given(st.text(max_size=400))
def test_read__any_text__ends_and_invents_no_word(text: str) -> None:
    for one in read(text):
        assert isinstance(one, Statement)
        assert one.text[1:] in text
        assert one.value is None or one.value in text
