"""Prices per token as exact integers: pico-dollars, so that one dollar per million tokens is a million of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

PICOS_PER_MICRO = 1_000_000
_PICOS_PER_MTOK_DOLLAR = 1_000_000  # one dollar per million tokens is one micro-dollar per token


@dataclass(frozen=True, slots=True)
class Rate:
    """Pico-dollars per token. Above ``tiers`` thresholds of prompt tokens another rate applies to all tokens of the
    call.
    """

    base: int
    tiers: tuple[tuple[int, int], ...] = ()

    def at(self, prompt_tokens: int) -> int:
        """The rate of a call with so many prompt tokens."""
        return next((rate for start, rate in reversed(self.tiers) if prompt_tokens > start), self.base)

    def most(self) -> int:
        """The highest rate that any call may meet."""
        return max(self.base, *(rate for _, rate in self.tiers)) if self.tiers else self.base


@dataclass(frozen=True, slots=True)
class Rates:
    """One model's rates by kind of token, and the version of the price list that they are of."""

    prompt: Rate
    cached: Rate
    cache_write: Rate
    completion: Rate
    version: str

    def dearest_prompt(self) -> int:
        """The highest rate that a prompt token may meet."""
        return max(self.prompt.most(), self.cached.most(), self.cache_write.most())


def picos(dollars_per_mtok: Decimal) -> int:
    """Pico-dollars per token of a price in dollars per million tokens, rounded half up."""
    return int((dollars_per_mtok * _PICOS_PER_MTOK_DOLLAR).to_integral_value(ROUND_HALF_UP))


def dollars(rate: int) -> str:
    """The price in dollars per million tokens, as people write it, without trailing zeros."""
    return format((Decimal(rate) / _PICOS_PER_MTOK_DOLLAR).normalize(), "f")


def half_up(value: int, unit: int) -> int:
    """``value / unit`` rounded to the nearest whole, halves up."""
    return (value + unit // 2) // unit
