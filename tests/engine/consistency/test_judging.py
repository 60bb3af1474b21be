"""What is taken from a judge, whatever it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.consistency.judging import Judgement, read, rules_of
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.types import Cartridge

RULES = ["Always: a", "Always: b", "Never: c"]


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"kept": [true, false, null]}', Judgement(0.5, ("Always: b",))),
        ('Here you are:\n```json\n{"kept": [true, true, true]}\n```', Judgement(1.0)),
        ('{"kept": [null, null, null]}', Judgement(None)),
    ],
)
def test_judgement__in_json_however_wrapped__is_read(content: str, expected: Judgement) -> None:
    assert read(completion(content), RULES) == expected


@pytest.mark.parametrize(
    "content",
    ["", "All kept.", '{"kept": [true]}', '{"kept": [1, 0, 1]}', '{"kept": "all"}', "{", None, ["x"], "{" * 5000],
)
def test_judgement__that_says_something_else__is_none(content: object) -> None:
    assert read(completion(content), RULES) == Judgement(None, problem="judge_unreadable")


@given(st.binary(max_size=200))
def test_judgement__of_any_bytes__never_raises(said: bytes) -> None:
    assert read(said, RULES).score is None


def test_rules__of_a_cartridge__name_style_do_and_dont() -> None:
    cartridge = Cartridge.of(default_cartridge("Acme"))
    found = rules_of(cartridge)
    assert len(found) == 1 + len(cartridge.behavior.do) + len(cartridge.behavior.dont)
    assert found[0].startswith("Tone: friendly.")
