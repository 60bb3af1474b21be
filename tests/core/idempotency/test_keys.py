"""The name of a claim and the fingerprint of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.idempotency import InvalidKey, claim_id, fingerprint, parse

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


@given(PRINTABLE)
def test_parse__printable_ascii__is_the_key(key: str) -> None:
    assert parse(key) == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a\nb", "ÿ", "\u200b", "\x7f"])
def test_parse__anything_else__is_400(key: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        parse(key)
    assert (refused.value.code, refused.value.http_status) == ("invalid_idempotency_key", 400)


@given(PRINTABLE, PRINTABLE, PRINTABLE, PRINTABLE)
def test_claim_id__other_caller_or_key__is_another(caller: str, key: str, other: str, second: str) -> None:
    same = (caller, key) == (other, second)
    assert (claim_id(caller, key) == claim_id(other, second)) is same
    assert len(claim_id(caller, key)) == 64


def test_claim_id__parts_that_run_together__differ() -> None:
    assert claim_id("ab", "c") != claim_id("a", "bc")


def test_fingerprint__each_part_changed__is_another() -> None:
    made = fingerprint("POST", "/v1/keys?", ["", "p"], b"{}")
    assert made == fingerprint("POST", "/v1/keys?", ["", "p"], b"{}")
    others = [
        fingerprint("PUT", "/v1/keys?", ["", "p"], b"{}"),
        fingerprint("POST", "/v1/keys?a=1", ["", "p"], b"{}"),
        fingerprint("POST", "/v1/keys?", ["p", ""], b"{}"),
        fingerprint("POST", "/v1/keys?", ["", "p"], b"{ }"),
    ]
    assert len({made, *others}) == 5
