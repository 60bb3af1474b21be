"""What is masked, what is not, and that a stream is masked like the whole text whatever its pieces are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.governance.policies.redaction import StreamRedactor, redact

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabc+/=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

DEFAULT = [
    ("Card 4111 1111 1111 1111, please", "Card [card], please"),
    ("Card 4111-1111-1111-1111.", "Card [card]."),
    ("5500005555555559 and 378282246310005", "[card] and [card]"),
    ("pay to DE89 3704 0044 0532 0130 00 today", "pay to [iban] today"),
    ("GB29NWBK60161331926819", "[iban]"),
    ("de89370400440532013000", "[iban]"),
    ("SSN 123-45-6789", "SSN [national_id]"),
    ("NINO AB 12 34 56 C!", "NINO [national_id]!"),
    ("DNI 12345678Z", "DNI [national_id]"),
    ("AHV 756.1234.5678.97", "AHV [national_id]"),
    ("key sk-abcdefghijklmnop1234567890", "key [secret]"),
    ("key ik_live_0123456789abcdef_XYZ.", "key [secret]."),
    ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
    (f"token {JWT} end", "token [secret] end"),
    (f"a {PEM} b", "a [secret] b"),
    ("postgres://bob:hunter2@db/x", "postgres://[secret]@db/x"),
    ("api_key=abcd1234efgh, then", "api_key=[secret], then"),
    ('{"password":"Tr0ub4dor&3x"}', '{"password":"[secret]"}'),
    ("pwd:" + "a1" * 400 + " after", "pwd:[secret] after"),
    ("CF RSSMRA85T10A562S.", "CF [national_id]."),
    ("CPF 529.982.247-25", "CPF [national_id]"),
    ("NIR 1 85 05 78 006 084 91", "NIR [national_id]"),
    ("Aadhaar 2341 2341 2346", "Aadhaar [national_id]"),
    ("sk-" + "a" * 5_000 + " after", "[secret] after"),
]
STRICT = [
    ("an jürgen.müller@bücher.example, bitte", "an [email], bitte"),
    ("write to ann.lee+x@mail.example.co.uk, ok", "write to [email], ok"),
    ("call +49 (0) 170 1234567 now", "call [phone] now"),
    ("call (555) 123-4567 or 555-1234", "call [phone] or [phone]"),
    ("0170/1234567", "[phone]"),
    ("from 192.168.0.1 and fe80::1.", "from [ip] and [ip]."),
    ("2001:db8:85a3::8a2e:370:7334", "[ip]"),
]
KEPT = [
    "Meet me on 2025-11-07 at 10:30, room 12.",
    "01/02/2024 and 01.02.2024",
    "std::vector<int> costs 1,234,567 units",
    "order 1234 5678, version 3.11.7",
    "token:required, password: see the vault, secret=unknown",
    "111.111.111-11 and 2341 2341 2341",
    "task-management-and-planning-for-all",
    "",
]


@pytest.mark.parametrize(("text", "masked"), DEFAULT)
def test_redact__default_mode__masks_cards_accounts_ids_and_secrets(text: str, masked: str) -> None:
    assert redact(text, "default") == masked
    assert redact(text, "strict") == masked


@pytest.mark.parametrize(("text", "masked"), STRICT)
def test_redact__strict_mode__masks_addresses_that_default_keeps(text: str, masked: str) -> None:
    assert redact(text, "strict") == masked
    assert redact(text, "default") == text


@pytest.mark.parametrize("text", KEPT)
def test_redact__ordinary_text__is_kept(text: str) -> None:
    assert redact(text, "strict") == text


@pytest.mark.parametrize("text", [text for text, _ in DEFAULT + STRICT])
def test_redact__off__keeps_everything(text: str) -> None:
    assert redact(text, "off") == text


def test_redact__card_with_wrong_check_digit__is_kept() -> None:
    assert redact("4111 1111 1111 1112", "default") == "4111 1111 1111 1112"
    assert redact("DE88 3704 0044 0532 0130 00", "default") == "DE88 3704 0044 0532 0130 00"


SAMPLES = [text for text, _ in DEFAULT + STRICT] + KEPT
PIECES = st.one_of(
    st.sampled_from(SAMPLES),
    st.text(alphabet="0123456789+()-./ :@AZaz\u00a0\n_", max_size=40),
    st.text(max_size=20),
    st.sampled_from(
        [
            "a" * 600,
            "4 " * 300,
            "A1" * 300,
            "sk-" + "x" * 600,
            "eyJ" + "a" * 20 + "..b.c",
            "-----BEGIN PRIVATE KEY-----",
            "x" * 500 + "api_key=abc123def456",
            "y" * 505 + "://user:passw0rd@host",
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=6).map(" ".join) | st.lists(PIECES, max_size=6).map("".join), st.data())
def test_stream__any_split__equals_the_whole(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    for mode in ("default", "strict"):
        redactor = StreamRedactor(mode)
        pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert "".join(map(redactor.feed, pieces)) + redactor.finish() == redact(text, mode)


@pytest.mark.parametrize("text", SAMPLES)
def test_stream__one_character_at_a_time__equals_the_whole(text: str) -> None:
    for mode in ("default", "strict"):
        redactor = StreamRedactor(mode)
        assert "".join(map(redactor.feed, text)) + redactor.finish() == redact(text, mode)


def test_stream__prose__holds_back_the_last_word_only() -> None:
    redactor = StreamRedactor("strict")
    assert redactor.feed("Hello my good fri") == "Hello my good "
    assert redactor.feed("end, I ") == "friend, "
    assert redactor.finish() == "I "


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abc019 @.-AZ/+:", min_size=600, max_size=3_000))
def test_stream__any_text__holds_back_a_bounded_part(text: str) -> None:
    redactor = StreamRedactor("strict")
    for char in text:
        redactor.feed(char)
        assert len(redactor._text) <= 545


def test_stream__masks__are_counted() -> None:
    redactor = StreamRedactor("strict")
    redactor.feed("a@b.co c@d.eu 4111111111111111 ")
    redactor.finish()
    assert dict(redactor.counts) == {"email": 2, "card": 1}


@pytest.mark.parametrize(
    "text",
    ["4 " * 50_000, "a" * 100_000, "a@" * 50_000, "A1 " * 33_000, ":" * 100_000, "+1(" * 33_000, "a.b@c." * 16_000,
     "://a:" * 20_000, "-----BEGIN " * 9_000, "sk-" * 33_000, "1.1.1.1 " * 12_000, "0" * 100_000, "GB29" * 25_000],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_redact__hostile_text_of_100_kb__takes_linear_time(text: str) -> None:
    began = time.process_time()
    redact(text, "strict")
    assert time.process_time() - began < 5
