"""One lease, one settlement: how a model call is paid for, whatever ends it.

A ``Meter`` opens the lease before the model is called and settles it exactly once: with the provider's counts, with
what was seen of a stream that the caller or the provider broke off, or with nothing when it was refused. Settling
outlives the request's task.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, UpstreamError
from gateway.platform.admission import gate
from gateway.platform.admission.types import Lease, Settlement, UsageSource
from gateway.platform.providers import prices
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Route
from gateway.platform.providers.types import TokenUsage

# Where nobody counted: English text has about four bytes to a token.
_BYTES_PER_TOKEN_GUESS = 4
# Failures after which the provider may have done the work, and will bill it.
_MAY_HAVE_WORKED = frozenset({"upstream_timeout", "upstream_stalled"})
T = TypeVar("T")


@dataclass(slots=True)
class Meter:
    """The accounting of one call. ``usage`` is the provider's when it arrives; ``seen_bytes`` counts the output that
    passed; ``attempts`` are the provider's answers before the first frame, of which the last one is charged: the others
    did no work."""

    call: Call
    route: Route
    prompt_bytes: int
    facts: dict[str, Any]
    attempts: list[Attempt] = field(default_factory=list)
    lease: Lease | None = None
    usage: TokenUsage | None = None
    seen_bytes: int = 0
    memory_recalls: int = 0
    cache_hit: bool = False
    persona_version: int | None = None
    ended: str | None = None
    status: int = 200
    reached_model: bool = False
    _started: float = field(default_factory=time.monotonic)
    _first: float | None = None

    async def open(self, *, max_tokens: int | None) -> None:
        """Admit the call and hold its upper bound. Raises RateLimited, PaymentRequired or Unavailable; then nothing is
        held."""
        estimate = prices.estimate(self.route.entry.price_as, self.route.model, self.prompt_bytes, max_tokens)
        self.lease = await gate.open_lease(self.call, estimate_micros=estimate, facts=self.facts)

    async def ask(self, opening: Awaitable[T]) -> T:
        """Wait for the model's first frame. What ends before it costs nothing when the provider said no, and an
        estimate when nobody can know: a time-out, a broken connection, or a caller who hung up."""
        self.reached_model = True
        try:
            opened = await opening
        except UpstreamError as error:
            self.reached_model = error.code in _MAY_HAVE_WORKED
            self._routed("failed")
            raise
        except GatewayError:
            self.reached_model = False
            self._routed("refused")
            raise
        self._first = time.monotonic()
        self._routed("ok")
        return opened

    def _routed(self, verdict: str) -> None:
        """Where the call went, and each attempt when the first one was not the last."""
        made = [attempt.wire() for attempt in self.attempts]
        shown = {"attempts": made} if len(made) > 1 else {}
        self.call.decided("route", verdict, **self.route.facts(), attempt=max(1, len(made)), **shown)

    def token_usage(self) -> tuple[TokenUsage, UsageSource]:
        """The counts to charge and where they come from."""
        if self.usage is not None:
            return self.usage, UsageSource.PROVIDER
        if not self.reached_model:
            return TokenUsage(0, 0, 0), UsageSource.PROVIDER
        guess = TokenUsage(
            self.prompt_bytes // _BYTES_PER_TOKEN_GUESS, -(-self.seen_bytes // _BYTES_PER_TOKEN_GUESS), 0
        )
        return guess, UsageSource.ESTIMATED if self.ended == "ok" else UsageSource.PARTIAL

    def failed(self, error: BaseException) -> None:
        """The call ended in an error. A cancelled one is the caller's hanging up, which ``settle`` assumes by
        itself."""
        if not isinstance(error, Exception):
            return
        told = error if isinstance(error, GatewayError) else GatewayError(type(error).__name__)
        self.ended, self.status = told.code, told.http_status
        self.call.decided("answer", "refused" if told.http_status < 500 else "failed", code=told.code)

    async def settle(self) -> None:
        """Settle now. Once begun it completes (admission sees to it) even if the request's task is cancelled."""
        if self.lease is not None:
            lease, self.lease = self.lease, None
            await gate.settle(lease, self._settlement())

    def _settlement(self) -> Settlement:
        usage, source = self.token_usage()
        price = prices.price(self.route.entry.price_as, self.route.model, usage)
        now = time.monotonic()
        priced = price.provider_cost_micros is not None
        self.call.decided(
            "price", "ok" if priced else "unpriced", version=price.price_version, charged_micros=price.charged_micros
        )
        if self.ended is None:  # nobody said how it ended: the caller hung up
            self.ended, self.status = "client_closed", 499
        return Settlement(
            status=self.status,
            outcome=self.ended,
            model=self.route.name,
            provider=self.route.provider.name,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            memory_recalls=self.memory_recalls,
            cache_hit=self.cache_hit,
            usage_source=source,
            provider_cost_micros=price.provider_cost_micros or 0,
            markup_micros=price.markup_micros or 0,
            charged_micros=price.charged_micros or 0,
            price_version=price.price_version,
            latency_ms=round((now - self._started) * 1000),
            ttft_ms=None if self._first is None else round((self._first - self._started) * 1000),
            counts_as_call=self.reached_model,
            record={
                "decisions": self.call.decisions,
                "surface": self.call.surface,
                "attempts": max(1, len(self.attempts)),
                "persona_version": self.persona_version,
                **self.facts,
            },
        )


def facts_of(
    call: Call, *, provider: str, model: str, persona_id: str | None = None, subject_id: str | None = None
) -> dict[str, Any]:
    """The lease's small facts, which make the entry if the worker dies."""
    return {
        "surface": call.surface,
        "provider": provider,
        "model": model,
        "persona_id": persona_id,
        "subject_id": subject_id,
    }
