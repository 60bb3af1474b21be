"""`count_tokens` for models whose provider has no such call."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.platform.providers import messages_shape
from gateway.platform.providers.reading import decoded
from gateway.platform.providers.types import Forwarded, ModelRequest, Tally

ESTIMATED = "x-ikiro-estimated"


def estimate(body: bytes, model: str) -> Forwarded:
    """About how many tokens the prompt has, marked as an estimate in the answer and in a header."""
    request = messages_shape.request_of(decoded(body), model=model, stream=False)
    answer = {"input_tokens": messages_shape.estimated_tokens(request), "estimated": True}
    return _answer(answer, {ESTIMATED: "input_tokens"})


def exact(body: bytes, model: str, count: Callable[[ModelRequest], int]) -> Forwarded:
    """How many tokens a model of ours will count."""
    return _answer({"input_tokens": count(messages_shape.request_of(decoded(body), model=model, stream=False))}, {})


def _answer(value: dict[str, int | bool], headers: dict[str, str]) -> Forwarded:
    told = {"content-type": "application/json", **headers}
    return Forwarded(msgspec.json.encode(value), None, told, Tally(finished=True))
