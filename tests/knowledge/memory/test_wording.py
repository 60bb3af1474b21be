"""When a text says what was forgotten."""

from __future__ import annotations

import pytest

from gateway.knowledge.memory.wording import says_again

ALLERGY, LISBON, DOG, CAR = "Has a peanut allergy.", "I live in Lisbon.", "Has a dog", "Has a car"


@pytest.mark.parametrize(
    ("text", "forgotten"),
    [
        ("Has a severe peanut allergy.", ALLERGY),
        ("Is allergic to peanuts.", ALLERGY),
        ("Allergies: peanuts, badly", ALLERGY),
        ("I live in sunny Lisbon these days.", LISBON),
        ("I'm living in Lisbon and I surf at dawn with friends of my brother's.", LISBON),
        ("We talked. She lives in Lisbon. It rains there more than anybody would think.", LISBON),
        ("Has a big dog", DOG),
    ],
)
def test_says_again__the_same_and_a_little_more__is_so(text: str, forgotten: str) -> None:
    assert says_again(text, forgotten)


@pytest.mark.parametrize(
    ("text", "forgotten"),
    [
        ("Has a dog house to sell", DOG),
        ("Has no peanut allergy", ALLERGY),
        ("Has a walnut allergy", ALLERGY),
        ("Works in Lisbon", LISBON),
        ("Lives in Bergen", "Lives in Oslo"),
        ("Lives with George", "Lives in Georgia"),
        ("Takes care", CAR),
        ("Had an accident with the red car in March", CAR),
        ("Born in 1984", "Born in 1985"),
        ("Anything at all", "..."),
    ],
)
def test_says_again__something_else__is_not_so(text: str, forgotten: str) -> None:
    assert not says_again(text, forgotten)
