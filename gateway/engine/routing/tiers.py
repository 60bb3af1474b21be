"""What ``tier:nano``, ``tier:fast``, ``tier:default`` and ``auto`` lead to where nobody says otherwise.

An alias of that very name, the organization's or the operator's, comes first. Else each provider whose models are known
here gives its model of the tier: the organization's own providers before the platform's, the next ones as fallbacks.
``auto`` is the cheapest of all of them by the price list that can do what the request asks for. With no such provider
it is the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.platform.providers import prices
from gateway.platform.providers.entries import ORGANIZATION, Entry
from gateway.platform.providers.registry import SANDBOX
from gateway.platform.providers.types import TokenUsage

AUTO, PREFIX = "auto", "tier:"
TIERS = ("nano", "fast", "default")
NAMES = (AUTO, *(PREFIX + tier for tier in TIERS))
TOOLS, VISION, JSON = "tools", "vision", "json"
_ALL = frozenset({TOOLS, VISION, JSON})
# The mix by which two models are compared: three times as much is read as is written.
_SAMPLE = TokenUsage(3_000, 1_000)


@dataclass(frozen=True, slots=True)
class Known:
    """A model that a vendor is known to have, and what it can do."""

    model: str
    can: frozenset[str] = _ALL


# By vendor and tier, the first that the provider's own list does not lack.
_KNOWN: Mapping[str, Mapping[str, tuple[Known, ...]]] = {
    "openai": {
        "nano": (Known("gpt-4.1-nano"), Known("gpt-5-nano"), Known("gpt-5.4-nano")),
        "fast": (Known("gpt-4.1-mini"), Known("gpt-5-mini"), Known("gpt-5.4-mini"), Known("gpt-4o-mini")),
        "default": (Known("gpt-4.1"), Known("gpt-5"), Known("gpt-5.4"), Known("gpt-4o")),
    },
    "anthropic": {
        "nano": (Known("claude-haiku-4-5"), Known("claude-haiku-5-5")),
        "fast": (Known("claude-haiku-4-5"), Known("claude-haiku-5-5")),
        "default": (Known("claude-sonnet-4-5"), Known("claude-sonnet-4-6"), Known("claude-sonnet-5")),
    },
}


def targets(name: str, entries: Mapping[str, Entry], needs: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """(the full names in the order to try, why these) for a tier or ``auto``."""
    if name == AUTO:
        found = [one for tier in TIERS for one in _of_tier(tier, entries, needs)]
        ordered = sorted(dict.fromkeys(found), key=lambda full: _cost(entries, full))
        asked = f" that can do {', '.join(sorted(needs))}" if needs else ""
        why = f"the cheapest known model{asked}"
    else:
        ordered = list(_of_tier(name.removeprefix(PREFIX), entries, needs))
        why = f"the {name.removeprefix(PREFIX)} model of each provider, own ones first"
    if not ordered:
        return (SANDBOX,), "no provider with a known model is configured"
    return tuple(ordered), why


def needs_of(body: bytes) -> frozenset[str]:
    """What a request's body seems to ask for. Words in a message may look like it, which costs a wider choice and
    nothing else."""
    found = set()
    if b'"tools"' in body:
        found.add(TOOLS)
    if b'"image_url"' in body or b'"input_image"' in body or b'"image"' in body:
        found.add(VISION)
    if b'"response_format"' in body or b'"json_schema"' in body:
        found.add(JSON)
    return frozenset(found)


def _of_tier(tier: str, entries: Mapping[str, Entry], needs: frozenset[str]) -> Iterator[str]:
    ordered = sorted(entries.items(), key=lambda item: (item[1].credential != ORGANIZATION, item[0] != "openai"))
    for name, entry in ordered:
        if not entry.usable:
            continue
        for known in _KNOWN.get(entry.price_as, {}).get(tier, ()):
            if needs <= known.can and not entry.catalogue.lacks(known.model):
                yield f"{name}/{known.model}"
                break


def _cost(entries: Mapping[str, Entry], full: str) -> tuple[bool, int]:
    """Unpriced models stand last: what nobody knows the price of is not the cheapest."""
    prefix, _, model = full.partition("/")
    cost = prices.price(entries[prefix].price_as, model, _SAMPLE).provider_cost_micros
    return cost is None, cost or 0
