"""What counts as personal data or a secret in a cartridge, however it is written, and what does not."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.knowledge.personas import lint
from gateway.knowledge.personas.defaults import default_cartridge
from gateway.knowledge.personas.lint_personal import plain

_ARABIC = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
_FULL = {ord(char): ord(char) + 0xFEE0 for char in string.digits + string.ascii_letters + "@.-+"}
_NAMES = ("password", "Passwd", "PASSPHRASE", "pwd", "api key", "API_KEY", "access-token", "secret", "token")
_SIGNS = (": ", "=", " = ", " is ", ": '", '":"')


def said(notes: Any) -> list[tuple[str, str]]:
    raw = default_cartridge("org_1")
    raw["meta"]["notes"] = notes
    return [(finding.pointer, finding.rule) for finding in lint.check(raw) if finding.rule.startswith("pii-")]


@pytest.mark.parametrize(
    ("notes", "rule"),
    [
        ("password: hunter2", "pii-secret"),
        ("The admin password is hunter2.", "pii-secret"),
        ("DB_PASSWORD=12345678", "pii-secret"),
        ("use the passcode 'x', else pwd='geheim99'", "pii-secret"),
        ("Bearer token: a1b2c3d4e5", "pii-secret"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1a hunter2", "pii-secret"),
        ("write to ann\uff20example.com", "pii-email"),
        ("write to ann\u200b@example.com", "pii-email"),
        ("call +49 170 1234567".translate(_FULL), "pii-phone"),
        ("call +49 170 1234567".translate(_ARABIC), "pii-phone"),
        ("card 4111 1111 1111 1111".translate(_ARABIC), "pii-id"),
        ("customer 123456789".translate(_ARABIC), "pii-number"),
    ],
)
def test_check__data_however_it_is_written__is_found(notes: str, rule: str) -> None:
    assert said(notes) == [("/meta/notes", rule)]


def test_check__a_secret_under_its_name__is_found_at_the_value() -> None:
    assert said({"api_key": ["x"], "password": "hunter2", "hint": "hunter2"}) == [
        ("/meta/notes/password", "pii-secret")
    ]


@pytest.mark.parametrize(
    "notes",
    [
        "Never ask for a password: it is private.",
        "Password: at least 8 characters, with 1 digit",
        "Print keys, tokens or passwords",
        "The token is a word of 4 letters",
        "The secret is: be kind. Token limit: 4000 per answer",
        "password: {{password}}",
        "password = <your-password-1>",
        "token: [redacted]",
        "Secretary: Room 1234567a",
        "Tokens: 1000000a",
        "passwords: reset2024 page",
        "Ask for 3 things: name, town, order",
        "\u0663 \u0635\u0641\u062d\u0627\u062a",
    ],
)
def test_check__ordinary_prose__is_let_be(notes: str) -> None:
    assert said(notes) == []


@given(
    st.sampled_from(_NAMES), st.sampled_from(_SIGNS),
    st.text(string.ascii_letters + string.digits + "-_!#%", min_size=6, max_size=30), st.booleans(),
)  # fmt: skip
def test_check__a_name_a_sign_and_a_word_with_a_digit__is_a_secret(
    name: str, sign: str, value: str, wide: bool
) -> None:
    assume(any(char.isdigit() for char in value) and any(char.isalpha() for char in value))
    text = f"note {name}{sign}{value}"
    assert said(text.translate(_FULL) if wide else text) == [("/meta/notes", "pii-secret")]


@given(st.text(string.ascii_letters + " .,;!?'()-\n", max_size=200), st.sampled_from(_NAMES), st.sampled_from(_SIGNS))
def test_check__letters_alone__are_never_a_secret(before: str, name: str, sign: str) -> None:
    assert ("/meta/notes", "pii-secret") not in said(f"{before} {name}{sign}{before}")


@given(st.text(string.ascii_letters + " @.", max_size=30), st.text(max_size=60))
def test_check__beside_any_other_text__the_address_is_found_at_its_own_place(harmless: str, other: str) -> None:
    raw = default_cartridge("org_1")
    raw["meta"] = {"version": "1", "a": harmless.replace("@", ""), "b": "ann@example.com", "c": other}
    found = {(finding.pointer, finding.rule) for finding in lint.check(raw)}
    assert ("/meta/b", "pii-email") in found
    assert ("/meta/a", "pii-email") not in found


@given(st.text(max_size=60))
def test_plain__twice__is_once_and_ascii_stays(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert all(not char.isdecimal() or char in string.digits for char in plain(text))
