"""The text of a key: what is made parses, what was changed by one character does not."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import tokens

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PUBLIC = st.text(ALPHABET, min_size=16, max_size=16)


@given(PUBLIC, st.sampled_from(["live", "test"]))
def test_token__made__parses_to_its_parts_and_hash(public: str, mode: str) -> None:
    secret = tokens.new_secret(mode, public)
    parsed = tokens.parse(secret)
    assert parsed == tokens.ParsedKey(mode, public, hashlib.sha256(secret.encode()).digest())
    assert len(secret) == len("ik_live_") + 16 + 1 + 32 + 7


@given(PUBLIC, st.integers(0, 62), st.characters(exclude_categories=["Cs"]))
def test_token__one_character_changed__is_refused(public: str, place: int, other: str) -> None:
    secret = tokens.new_secret("live", public)
    place %= len(secret)
    changed = secret[:place] + other + secret[place + 1 :]
    assert (tokens.parse(changed) is None) == (changed != secret)


@given(PUBLIC, st.integers(0, 55))
def test_token__two_neighbours_swapped__are_refused(public: str, place: int) -> None:
    secret = tokens.new_secret("test", public)
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
    assert (tokens.parse(swapped) is None) == (swapped != secret)


@given(PUBLIC, st.integers(1, 63))
def test_token__cut_short__is_refused(public: str, length: int) -> None:
    secret = tokens.new_secret("live", public)
    assert tokens.parse(secret[: length % len(secret)]) is None


@given(st.text(max_size=80))
def test_token__any_text__never_fails(text: str) -> None:
    assert tokens.parse(text) is None


@pytest.mark.parametrize("change", [str.upper, "{}\n".format, " {}".format, "{}0".format])
def test_token__nearly_right__is_refused(change) -> None:
    assert tokens.parse(change(tokens.new_secret("live", tokens.new_public()))) is None


def test_token__made_twice__differs_in_every_part() -> None:
    made = {tokens.new_public() for _ in range(100)}
    assert len(made) == 100
    public = made.pop()
    assert len({tokens.new_secret("live", public) for _ in range(100)}) == 100
