"""What a call's attempts come to: one ledger entry each, the last of them with the call's decision record.

An attempt before the last one costs nothing where the provider said no, and its prompt as estimated where it may have
done the work: a time-out is billed by most providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from gateway.core.endpoint import Call
from gateway.platform.admission.types import Settlement, UsageSource
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import ORGANIZATION, Route
from gateway.platform.providers.prices import MARKUP_PERCENT, Price
from gateway.platform.providers.types import TokenUsage

_NO_STATUS = {"upstream_timeout": 504, "upstream_stalled": 504, "client_closed": 499}
_NOTHING = TokenUsage(0, 0)


def before(
    made: Sequence[tuple[Route, Attempt]],
    prompt_guess: int,
    prices: Sequence[Price],
    *,
    alias: str | None,
    stream: bool,
) -> list[Settlement]:
    """One settlement for each attempt but the last; ``prices`` are of their use (``guessed``)."""
    return [
        Settlement(
            status=attempt.status or _NO_STATUS.get(attempt.code, 502),
            outcome=attempt.code,
            model=route.name,
            provider=route.provider.name,
            attempt=number,
            prompt_tokens=guessed(attempt, prompt_guess).prompt_tokens,
            usage_source=UsageSource.PARTIAL if attempt.may_have_worked else UsageSource.PROVIDER,
            provider_cost_micros=price.provider_cost_micros or 0,
            markup_micros=price.markup_micros or 0,
            charged_micros=price.charged_micros or 0,
            price_version=price.price_version,
            latency_ms=attempt.ms,
            counts_as_call=False,
            alias=alias,
            stream=stream,
            own_credential=owned(route),
        )
        for number, ((route, attempt), price) in enumerate(zip(made, prices, strict=False), 1)
    ]


def owned(route: Route) -> bool:
    """Whether the organization pays this provider itself."""
    return route.entry.credential == ORGANIZATION


def guessed(attempt: Attempt, prompt_guess: int) -> TokenUsage:
    """What an attempt without an answer is taken to have used."""
    return TokenUsage(prompt_guess, 0) if attempt.may_have_worked else _NOTHING


def within(price: Price, most: int) -> Price:
    """The price, but no more than ``most`` micro-dollars charged: what a hard budget held is all it pays."""
    if price.charged_micros is None or price.charged_micros <= most:
        return price
    charged = max(0, most)
    cost = charged * 100 // (100 + MARKUP_PERCENT)
    return structs.replace(price, provider_cost_micros=cost, markup_micros=charged - cost, charged_micros=charged)


def facts_of(
    call: Call,
    *,
    provider: str,
    model: str,
    persona_id: str | None = None,
    subject_id: str | None = None,
    alias: str | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The lease's small facts, which make the entry if the worker dies."""
    return {
        "surface": call.surface,
        "provider": provider,
        "model": model,
        "persona_id": persona_id,
        "subject_id": subject_id,
        **({"alias": alias} if alias is not None else {}),
        **({"stream": True} if stream else {}),
        **({"parent_id": str(call.parent_id)} if call.parent_id is not None else {}),
    }
