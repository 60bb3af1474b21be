"""What a call may use under a hard budget, and how the provider is told.

Under a hard budget the lease is an upper bound: the prompt's bytes as tokens, and ``max_tokens``. Where the caller set
none, the gateway sends the most that the money left pays for. A caller without one is not touched, and costs no look at
the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.platform.providers import own_prices, prices
from gateway.platform.providers.entries import Route
from gateway.platform.providers.rates import Rates
from gateway.platform.providers.types import Shape
from tenants.types import Organization

ASSUMED = 16_384
# The longest answer that is asked for on the caller's behalf. Older models refuse more than they can.
_MOST, _MOST_OF_OLD = 16_384, 4_096
_OLD = ("gpt-3.5", "gpt-4-", "claude-2", "claude-3-")
_NAMES = {Shape.CHAT: "max_tokens", Shape.RESPONSES: "max_output_tokens", Shape.MESSAGES: "max_tokens"}
_GIVEN = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODE = msgspec.json.Encoder().encode
# A stream may send some frames without a token in them, and some tokens in two; beyond this it ignores max_tokens.
_SLACK, _FRAMES_PER_TOKEN = 64, 2


def bound(organization: Organization, routes: Sequence[Route], prompt_bytes: int, completion: int | None) -> int:
    """The most micro-dollars that a call over these targets can be charged: each may be billed for the prompt (it timed
    out), one for the answer too."""
    if len(routes) == 1:
        return _estimate(organization, routes[0], prompt_bytes, completion)
    prompts = [_estimate(organization, route, prompt_bytes, 0) for route in routes]
    answers = [
        _estimate(organization, route, prompt_bytes, completion) - prompt
        for route, prompt in zip(routes, prompts, strict=True)
    ]
    return sum(prompts) + max(answers)


def affordable(organization: Organization, routes: Sequence[Route], prompt_bytes: int, micros: int) -> int | None:
    """The largest ``max_tokens`` that ``micros`` pay for at whichever of these targets answers; 0 when not even the
    prompts are covered, None where money limits nothing."""
    prompts = [_estimate(organization, route, prompt_bytes, 0) for route in routes]
    total = sum(prompts)
    found = [
        prices.affordable_tokens(
            route.entry.price_as, route.model, prompt_bytes, micros - (total - prompt), _own(organization, route)
        )
        for route, prompt in zip(routes, prompts, strict=True)
    ]
    known = [tokens for tokens in found if tokens is not None]
    return min(known) if known else None


def longest(routes: Sequence[Route]) -> int:
    """The longest answer that all of these models are known to take as a limit."""
    return _MOST_OF_OLD if any(_is_old(route.model) for route in routes) else _MOST


def _is_old(model: str) -> bool:
    return model == "gpt-4" or model.startswith(_OLD)


def copies(body: bytes) -> int:
    """How many answers a body asks for at once (``n``)."""
    if b'"n"' not in body:
        return 1
    try:
        asked = msgspec.json.decode(_RAW.decode(body).get("n", msgspec.Raw(b"1")))
    except msgspec.DecodeError:
        return 1  # the provider says what is wrong with it
    return asked if isinstance(asked, int) and 1 <= asked <= 128 else 1


def limited(body: bytes, shape: Shape, max_tokens: int) -> bytes:
    """The body with a limit on its answer put in; every other value keeps its bytes."""
    name = _NAMES.get(shape)
    if name is None:
        return body
    fields: dict[str, Any] = {key: raw for key, raw in _RAW.decode(body).items() if key not in _GIVEN}
    fields[name] = max_tokens
    return _ENCODE(fields)


def most_frames(max_tokens: int) -> int:
    """How many frames a stream of at most so many tokens may have."""
    return max_tokens * _FRAMES_PER_TOKEN + _SLACK


def _estimate(organization: Organization, route: Route, prompt_bytes: int, completion: int | None) -> int:
    own = _own(organization, route)
    return prices.estimate(route.entry.price_as, route.model, prompt_bytes, completion, own)


def _own(organization: Organization, route: Route) -> Rates | None:
    return own_prices.of(organization, route.name)
