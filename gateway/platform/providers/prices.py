"""What a call costs, in integer micro-dollars with the version of the price list it was reckoned by.

Rounding: each amount once per entry, half up. ``provider_cost`` is the exact price rounded; ``markup`` is 20 % of that
rounded cost, rounded; ``charged`` is their sum, so the three always add up. A model that the list does not know has no
price: its amounts are None, never 0.

Rates are kept as integer pico-dollars per token, worked out once per model and UTC day. The list itself (genai-prices,
about 6 MB and 0.3 s to load) is imported at the first model that has to be priced, or by ``warm()`` at start-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from gateway.core import clock
from gateway.platform.providers.types import TokenUsage

MARKUP_PERCENT = 20
FREE_VERSION, UNPRICED_VERSION = "ikiro/free", "unpriced"
_PICOS_PER_MICRO = 1_000_000
_PICOS_PER_MTOK_DOLLAR = 1_000_000  # one dollar per million tokens is one micro-dollar per token
# Assumed when the caller sets no max_tokens; the settled entry corrects it.
_ASSUMED_COMPLETION = 16_384


@dataclass(frozen=True, slots=True)
class Price:
    """``None`` amounts: the model is not in the price list and its use is shown as unpriced."""

    provider_cost_micros: int | None
    markup_micros: int | None
    charged_micros: int | None
    price_version: str


@dataclass(frozen=True, slots=True)
class _Rate:
    """Pico-dollars per token. Above ``tiers`` thresholds of prompt tokens another rate applies to all tokens of the
    call.
    """

    base: int
    tiers: tuple[tuple[int, int], ...] = ()

    def at(self, prompt_tokens: int) -> int:
        return next((rate for start, rate in reversed(self.tiers) if prompt_tokens > start), self.base)

    def most(self) -> int:
        return max(self.base, *(rate for _, rate in self.tiers)) if self.tiers else self.base


@dataclass(frozen=True, slots=True)
class _Rates:
    prompt: _Rate
    cached: _Rate
    cache_write: _Rate
    completion: _Rate
    version: str

    def dearest_prompt(self) -> int:
        return max(self.prompt.most(), self.cached.most(), self.cache_write.most())


_FREE = _Rates(_Rate(0), _Rate(0), _Rate(0), _Rate(0), FREE_VERSION)


def price(provider: str, model: str, usage: TokenUsage) -> Price:
    """The price of one attempt. ``provider`` is the price list's name of the provider, or the base URL of one that the
    list knows by its address; ``model`` is the model's name there.
    """
    rates = _rates_now(provider, model)
    if rates is None:
        return Price(None, None, None, UNPRICED_VERSION)
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    picos = (
        (usage.prompt_tokens - cached - written) * rates.prompt.at(usage.prompt_tokens)
        + cached * rates.cached.at(usage.prompt_tokens)
        + written * rates.cache_write.at(usage.prompt_tokens)
        + usage.completion_tokens * rates.completion.at(usage.prompt_tokens)
    )
    cost = _half_up(picos, _PICOS_PER_MICRO)
    markup = _half_up(cost * MARKUP_PERCENT, 100)
    return Price(cost, markup, cost + markup, rates.version)


def estimate(provider: str, model: str, prompt_bytes: int, max_tokens: int | None) -> int:
    """The most that a call can be charged, in micro-dollars, for the lease: a token has at least one byte. 0 for an
    unpriced model.
    """
    rates = _rates_now(provider, model)
    if rates is None:
        return 0
    completion = _ASSUMED_COMPLETION if max_tokens is None else max_tokens
    picos = prompt_bytes * rates.dearest_prompt() + completion * rates.completion.most()
    return -(-picos * (100 + MARKUP_PERCENT) // (100 * _PICOS_PER_MICRO))


def warm() -> None:
    """Load the price list now (about 0.3 s), so that no request does."""
    _rates_now("openai", "gpt-4o-mini")


def _rates_now(provider: str, model: str) -> _Rates | None:
    return _FREE if provider == "ikiro" else _rates(provider, model, clock.now().toordinal())


@lru_cache(maxsize=1024)
def _rates(provider: str, model: str, day: int) -> _Rates | None:
    """The rates of a model on a day (its proleptic ordinal), or None when the list does not know it or prices it by
    something else.
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
    if prompt is None or completion is None:
        return None
    cached = _rate(listed, "cache_read_mtok") or prompt
    written = _rate(listed, "cache_write_mtok") or prompt
    return _Rates(prompt, cached, written, completion, f"genai-prices/{genai_prices.__version__}")


def _rate(listed: Any, key: str) -> _Rate | None:
    value = getattr(listed, key, None)
    if value is None:
        return None
    if isinstance(value, Decimal):
        return _Rate(_picos(value))
    return _Rate(_picos(value.base), tuple((int(tier.start), _picos(tier.price)) for tier in value.tiers))


def _picos(dollars_per_mtok: Decimal) -> int:
    return int((dollars_per_mtok * _PICOS_PER_MTOK_DOLLAR).to_integral_value(ROUND_HALF_UP))


def _half_up(value: int, unit: int) -> int:
    return (value + unit // 2) // unit
