"""What may be kept of a body: every text masked, whole, in every dialect's streams too. Pure."""

from __future__ import annotations

import json

import pytest

from gateway.governance.policies.types import RedactMode
from gateway.surfaces.bodies.assembly import assembled
from gateway.surfaces.bodies.masking import asked_mode, at_least_default, masked

SECRET = "sk-proj-" + "A1b2C3d4" * 4


def test_masked__secrets_as_values_keys_numbers_and_escapes__are_gone() -> None:
    body = {"a": [SECRET, {SECRET: 1}], "card": 4111111111111111, "ok": 7, "flag": True, "none": None}
    written = json.dumps(body).replace("sk-proj", "\\u0073k-proj")
    kept = masked(written.encode(), "application/json", RedactMode.DEFAULT)
    assert json.loads(kept) == {
        "a": ["[secret]", {"[secret]": 1}], "card": "[card]", "ok": 7, "flag": True, "none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x", "created": 1763835000, "usage": {"prompt_tokens": 1234567890, "details": {"cached": None}}},
        {"created_at": 1763835000, "seed": 1234567890, "stream": True},
    ],
)
def test_masked__times_and_counts_of_a_dialect__stay_numbers(body: dict) -> None:
    assert json.loads(masked(json.dumps(body).encode(), "application/json", RedactMode.STRICT)) == body
    event = f"data: {json.dumps({'type': 'response.completed', 'response': body})}\n\n"
    assert json.loads(masked(event.encode(), "text/event-stream", RedactMode.STRICT))["last"]["response"] == body
    elsewhere = {"messages": [body], "metadata": body, "usage": {"card": 4111111111111111, "user": "0301234567"}}
    kept = masked(json.dumps(elsewhere).encode(), "application/json", RedactMode.STRICT)
    assert not [number for number in ("1763835000", "1234567890", "4111111", "0301234567") if number in kept]


def test_masked__what_is_no_json__is_masked_as_text() -> None:
    assert masked(f"key={SECRET}\xff".encode("latin1"), "text/plain", RedactMode.DEFAULT).startswith("key=[secret]")


@pytest.mark.parametrize("cut", range(0, len(SECRET), 5))
@pytest.mark.parametrize(
    ("event", "place"),
    [
        (lambda piece: {"choices": [{"index": 0, "delta": {"content": piece}}]}, "choices.0.delta.content"),
        (lambda piece: {"type": "content_block_delta", "index": 1, "delta": {"text": piece}}, "index=1.delta.text"),
        (
            lambda piece: {"type": "response.output_text.delta", "output_index": 0, "delta": piece},
            "output_index=0.delta",
        ),
    ],
)
def test_masked__a_secret_across_two_events__is_gone(cut: int, event, place: str) -> None:
    parts = [f"It is {SECRET[:cut]}", f"{SECRET[cut:]} so"]
    stream = "".join(f"event: x\ndata: {json.dumps(event(part))}\n\n" for part in parts) + "data: [DONE]\n\n"
    kept = masked(stream.encode(), "text/event-stream; charset=utf-8", RedactMode.DEFAULT)
    assert SECRET[8:20] not in kept
    assert json.loads(kept)["text"] == {place: "It is [secret] so"}


def test_assembled__two_answers_and_tool_arguments__stay_apart() -> None:
    events = [
        {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "x"}}]},
        {"choices": [{"index": 1, "delta": {"content": "y"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 2, "function": {"arguments": "{}"}}]}}]},
        {"usage": {"total_tokens": 3}},
    ]
    stream = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events)
    assert assembled(stream) == {
        "stream": True, "events": 4, "last": {"usage": {"total_tokens": 3}},
        "text": {
            "choices.0.delta.content": "a", "choices.1.delta.content": "xy",
            "choices.0.delta.tool_calls.2.function.arguments": "{}",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("modes", "used"),
    [((), "default"), (("off", None), "default"), (("off", "strict"), "strict"), (("strict", "default"), "strict")],
)
def test_mode__of_policy_and_request__is_the_strictest_and_never_off(modes, used) -> None:
    assert at_least_default(*modes) == used


@pytest.mark.parametrize(
    ("body", "mode"),
    [(b'{"redact_mode": "strict"}', "strict"), (b'{"redact_mode": 5}', None), (b"[]", None), (b"{", None)],
)
def test_asked_mode__in_the_body__is_read_or_none(body: bytes, mode: str | None) -> None:
    assert asked_mode(body) == mode
