"""What a tool call's arguments become: JSON that is still JSON, whatever its pieces are."""

from __future__ import annotations

import json

import pytest

from gateway.engine.chat.arguments import ArgumentGuard
from gateway.governance.policies.guardrails import GuardrailBlocked
from gateway.governance.policies.guards import Action, Guard
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import EffectivePolicy, Fields, Level, Overlay, RedactMode

MERGER = Guard("blocklist.m", output=Action.BLOCK, phrases=("the merger",))


def policy(mode: RedactMode = RedactMode.STRICT, *guards: Guard) -> EffectivePolicy:
    return merge([Overlay(Level.ORG, "", Fields(guardrails=guards), Fields(redact_mode=mode))])


def through(given: EffectivePolicy, *pieces: str) -> str:
    guard = ArgumentGuard(given)
    out = "".join(map(guard.feed, pieces)) + guard.finish()
    assert guard.text == out
    return out


TEXT = (
    '{"to": "ada@example.com", "n\\u00e4me": "line\\nada\\u0040example.com", "deep": [true, 4111111111111111, -1.5e3, '
    'null, "\\ud83d\\ude00 ok\\\\"],"bob@example.com":{"key":"sk-proj-abcdefghijklmnop0123456789", '
    '"call": "0049 30 901820"}}'
)
MASKED = {
    "to": "[email]", "näme": "line\n[email]", "deep": [True, "[card]", -1500.0, None, "😀 ok\\"],
    "[email]": {"key": "[secret]", "call": "[phone]"},
}  # fmt: skip


def test_arguments__cut_anywhere__are_masked_as_the_whole_and_are_json() -> None:
    assert json.loads(through(policy(), TEXT)) == MASKED
    whole = through(policy(), TEXT)
    for at in range(len(TEXT) + 1):
        assert through(policy(), TEXT[:at], TEXT[at : at + 2], TEXT[at + 2 :]) == whole
    assert through(policy(), *TEXT) == whole


def test_arguments__a_piece_that_was_given_out__never_holds_part_of_what_is_masked() -> None:
    guard = ArgumentGuard(policy())
    for char in '{"to": "ada.lovelace@exam':
        assert "ada" not in guard.feed(char)
    assert guard.text + guard.finish() == '{"to": "ada.lovelace@exam'  # which was no address after all


@pytest.mark.parametrize("text", ['{"a": [1, 2.50, "x\\/y"], "b": {}}', "", "{}", '"only text"', "17"])
def test_arguments__with_nothing_to_mask__mean_the_same(text: str) -> None:
    shown = through(policy(), text)
    assert shown == text.replace("\\/", "/")
    assert through(policy(RedactMode.OFF), text) == text  # not even read


@pytest.mark.parametrize(
    "text", ['{"a": "ada@example.com', '{"a": ada@example.com', "write to ada@example.com", '{"a": "\\u00']
)
def test_arguments__that_are_no_json__are_masked_all_the_same(text: str) -> None:
    assert "ada@" not in through(policy(), text)
    assert through(policy(), text) == through(policy(), *text)


def test_arguments__followed_by_blanks__owe_nothing_at_the_end() -> None:
    guard = ArgumentGuard(policy())
    assert guard.feed('{"a": 1}') + guard.feed(" \n") == '{"a": 1}'
    assert guard.finish() == ""


def test_arguments__with_what_is_blocked__raise_and_give_nothing_of_it() -> None:
    given = policy(RedactMode.DEFAULT, MERGER)
    for text in ('{"about": "the merger"}', '{"the\\u0020merger": 1}', '{"a": "So The  Merger'):
        guard = ArgumentGuard(given)
        with pytest.raises(GuardrailBlocked):
            through(given, *text)
        with pytest.raises(GuardrailBlocked):
            guard.feed(text)
            guard.finish()
        assert "merger" not in guard.text.casefold()
        assert [finding.guardrail for finding in guard.findings] == ["blocklist.m"]
    assert through(given, '{"the": "merger"}') == '{"the": "merger"}'
