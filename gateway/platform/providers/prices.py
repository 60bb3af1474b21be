"""What a call costs, in integer micro-dollars with the version of the price list it was reckoned by.

Rounding: each amount once per entry, half up. ``provider_cost`` is the exact price rounded; ``markup`` is 20 % of that
rounded cost, rounded; ``charged`` is their sum, so the three always add up. A model that the list does not know has no
price: its amounts are None, never 0.

An organization may have prices of its own for a model (``own``, see ``own_prices.of``); they go before the list, and
the entry's version then names them. The list (genai-prices, about 6 MB and 0.3 s to load) is imported at the first
model that has to be priced, or by ``warm()`` at start-up; rates are worked out once per model and UTC day.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from gateway.core import clock
from gateway.platform.providers.rates import PICOS_PER_MICRO, Rate, Rates, half_up, picos
from gateway.platform.providers.types import TokenUsage

MARKUP_PERCENT = 20
FREE_VERSION, UNPRICED_VERSION = "ikiro/free", "unpriced"
# Assumed when the caller sets no max_tokens; the settled entry corrects it.
_ASSUMED_COMPLETION = 16_384
_FREE = Rates(Rate(0), Rate(0), Rate(0), Rate(0), FREE_VERSION)


class Price(msgspec.Struct, frozen=True):
    """``None`` amounts: the model is not in the price list and its use is shown as unpriced."""

    provider_cost_micros: int | None
    markup_micros: int | None
    charged_micros: int | None
    price_version: str


def price(provider: str, model: str, usage: TokenUsage, own: Rates | None = None) -> Price:
    """The price of one attempt. ``provider`` is the price list's name of the provider, or the base URL of one that the
    list knows by its address; ``model`` is the model's name there.
    """
    return priced(rates(provider, model, own), usage)


def priced(found: Rates | None, usage: TokenUsage) -> Price:
    """The price by rates that are known already; None: unpriced."""
    if found is None:
        return Price(None, None, None, UNPRICED_VERSION)
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    amount = (
        (usage.prompt_tokens - cached - written) * found.prompt.at(usage.prompt_tokens)
        + cached * found.cached.at(usage.prompt_tokens)
        + written * found.cache_write.at(usage.prompt_tokens)
        + usage.completion_tokens * found.completion.at(usage.prompt_tokens)
    )
    cost = half_up(amount, PICOS_PER_MICRO)
    markup = half_up(cost * MARKUP_PERCENT, 100)
    return Price(cost, markup, cost + markup, found.version)


def estimate(provider: str, model: str, prompt_bytes: int, max_tokens: int | None, own: Rates | None = None) -> int:
    """The most that a call can be charged, in micro-dollars, for the lease: a token has at least one byte. 0 for an
    unpriced model.
    """
    return estimated(rates(provider, model, own), prompt_bytes, max_tokens)


def estimated(found: Rates | None, prompt_bytes: int, max_tokens: int | None) -> int:
    """The most by rates that are known already."""
    if found is None:
        return 0
    completion = _ASSUMED_COMPLETION if max_tokens is None else max_tokens
    return _most(found, prompt_bytes, completion)


def affordable_tokens(
    provider: str, model: str, prompt_bytes: int, micros: int, own: Rates | None = None
) -> int | None:
    """How many completion tokens ``micros`` pay for after a prompt of ``prompt_bytes``: the largest ``max_tokens``
    whose ``estimate`` is not above it, 0 when not even the prompt is covered. None where money limits nothing: the
    model is unpriced, or completions cost nothing and the prompt is covered.
    """
    found = rates(provider, model, own)
    if found is None:
        return None
    if _most(found, prompt_bytes, 0) > micros:
        return 0
    rate = found.completion.most()
    if rate == 0:
        return None
    exact = micros * PICOS_PER_MICRO * 100 // (100 + MARKUP_PERCENT) - prompt_bytes * found.dearest_prompt()
    tokens = max(0, exact // rate)
    # Two roundings stand between the exact answer and the charged one, each worth less than a micro-dollar.
    while tokens and _most(found, prompt_bytes, tokens) > micros:
        tokens -= 1
    while _most(found, prompt_bytes, tokens + 1) <= micros:
        tokens += 1
    return tokens


def rates(provider: str, model: str, own: Rates | None = None) -> Rates | None:
    """What a model's tokens cost now, in pico-dollars each: the organization's own price, else the list's; None when
    neither knows it."""
    if own is not None:
        return own
    return _FREE if provider == "ikiro" else _listed(provider, model, clock.now().toordinal())


def warm() -> None:
    """Load the price list now (about 0.3 s), so that no request does."""
    rates("openai", "gpt-4o-mini")


def _most(found: Rates, prompt_tokens: int, completion_tokens: int) -> int:
    """Rounded like ``price``, so that it is never below what the same tokens are charged."""
    amount = prompt_tokens * found.dearest_prompt() + completion_tokens * found.completion.most()
    cost = half_up(amount, PICOS_PER_MICRO)
    return cost + half_up(cost * MARKUP_PERCENT, 100)


@lru_cache(maxsize=1024)
def _listed(provider: str, model: str, day: int) -> Rates | None:
    """The rates of a model on a day (its proleptic ordinal), or None when the list does not know it or prices it by
    something else. A model that only reads (embeddings) has no completion price: what it does not write is free.
    """
    import genai_prices  # noqa: PLC0415  (only who prices a model pays for the list)
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    noon = datetime.combine(datetime.fromordinal(day), time(12), UTC)
    try:
        # The provider by itself first: asked for both, the list would remember every model name that anybody makes up.
        listed_by = get_snapshot().find_provider(None, *((None, provider) if "://" in provider else (provider, None)))
        _, found = get_snapshot().find_provider_model(model, listed_by, None, None)
    except LookupError:
        return None
    listed = found.get_prices(noon)
    prompt, completion = _rate(listed, "input_mtok"), _rate(listed, "output_mtok")
    if prompt is None or (completion is None and not _only_reads(listed)):
        return None
    cached = _rate(listed, "cache_read_mtok") or prompt
    written = _rate(listed, "cache_write_mtok") or prompt
    return Rates(prompt, cached, written, completion or Rate(0), f"genai-prices/{genai_prices.__version__}")


def _only_reads(listed: Any) -> bool:
    """Whether input tokens are all that has a price: then nothing that is written is missing from the list."""
    priced = {name for name, value in vars(listed).items() if value is not None}
    return priced <= {"input_mtok", "cache_read_mtok", "cache_write_mtok"}


def _rate(listed: Any, key: str) -> Rate | None:
    value = getattr(listed, key, None)
    if value is None:
        return None
    if isinstance(value, Decimal):
        return Rate(picos(value))
    return Rate(picos(value.base), tuple((int(tier.start), picos(tier.price)) for tier in value.tiers))
