"""One lease, one settlement: how a model call is paid for, whatever ends it.

A ``Meter`` opens the lease before the model is called and settles it exactly once: with the provider's counts, with
what was seen of a stream that the caller or the provider broke off, or with nothing when it was refused. Every attempt
at every target is an entry of its own. Settling outlives the request's task.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, TypeVar

from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, PaymentRequired
from gateway.engine.chat import ceilings, enforcement, observed, settlements
from gateway.engine.routing import Leg, Plan, walk
from gateway.engine.routing.walking import Start
from gateway.platform.admission import gate, rules
from gateway.platform.admission.types import Lease, Settlement, UsageSource
from gateway.platform.providers import own_prices, prices
from gateway.platform.providers.attempts import Attempt, persist
from gateway.platform.providers.entries import Route
from gateway.platform.providers.prices import Price
from gateway.platform.providers.types import TokenUsage
from gateway.platform.telemetry import tracing

# Where nobody counted: English text has about four bytes to a token, and a frame of a stream about so many around it.
_BYTES_PER_TOKEN_GUESS, _FRAME_BYTES = 4, 160
_NOTHING = TokenUsage(0, 0, 0)
T = TypeVar("T")


@dataclass(slots=True)
class Meter:
    """The accounting of one call. ``usage`` is the provider's when it arrives; ``seen_bytes`` and ``frames`` count the
    output that passed; ``legs`` hold every attempt at every target; ``cache_hit`` is the recall's. ``saved`` is what a
    cached answer would have cost. Under a hard budget (``hard``) ``limit`` is the most tokens that may be answered,
    and ``applied`` the ``max_tokens`` that the gateway set itself."""

    call: Call
    target: InitVar[Plan | Route]
    prompt_bytes: int
    facts: dict[str, Any]
    legs: list[Leg] = field(default_factory=list)
    lease: Lease | None = None
    usage: TokenUsage | None = None
    seen_bytes: int = 0
    frames: int = 0
    memory_recalls: int = 0
    cache_hit: bool = False
    saved: Price | None = None
    persona_version: int | None = None
    ended: str | None = None
    status: int = 200
    hard: bool = False
    limit: int | None = None
    applied: int | None = None
    operation: str = "chat"
    finish_reason: str | None = None
    span: tracing.Nothing = tracing.NOTHING
    plan: Plan = field(init=False)
    _started: float = field(default_factory=time.monotonic)
    _first: float | None = None

    def __post_init__(self, target: Plan | Route) -> None:
        self.plan = target if isinstance(target, Plan) else Plan.of(target)

    def began(self, at: float, first: float | None = None) -> None:
        """The call began, and its answer, at these moments (monotonic), not now."""
        self._started, self._first = at, first

    async def open(
        self,
        *,
        max_tokens: int | None,
        subject_id: str | None = None,
        copies: int = 1,
        completes: bool = True,
        spare_bytes: int = 0,
    ) -> None:
        """Admit the call and hold its upper bound. ``copies`` answers of ``max_tokens`` each; not ``completes``: it has
        no answer to bound (embeddings); ``spare_bytes``: what the prompt may still grow by, held under a hard budget.
        There a missing ``max_tokens`` is set (``applied``). Raises RateLimited, PaymentRequired or Unavailable; then
        nothing is held."""
        self.hard = rules.of(self.call.principal, subject_id).guards_money
        prompt = self.prompt_bytes + (spare_bytes if self.hard else 0)
        if not completes:
            max_tokens = 0
        elif self.hard:
            if max_tokens is None:
                max_tokens = self.applied = await self._afforded(prompt, subject_id, copies)
            self.limit = max_tokens * copies
        answer = None if max_tokens is None else max_tokens * copies
        organization = self.call.principal.organization
        estimate = ceilings.bound(organization, self.plan.routes, prompt, answer)
        self.lease = await gate.open_lease(
            self.call,
            estimate_micros=estimate,
            tokens=prompt + (ceilings.ASSUMED if answer is None else answer),
            subject_id=subject_id,
            facts=self.lease_facts(),
        )

    def lease_facts(self) -> dict[str, Any]:
        """What the lease holds for the entry that is made should this worker die."""
        return {**self.facts, "own_credential": settlements.owned(self.route)}

    async def _afforded(self, prompt: int, subject_id: str | None, copies: int) -> int:
        """The ``max_tokens`` that the money left pays for, as far as the models take it; at least 1, which admission
        then refuses if not even that is covered."""
        longest, routes = ceilings.longest(self.plan.routes), self.plan.routes
        left = await gate.budget_left(self.call, subject_id=subject_id)
        if left is not None:
            paid = ceilings.affordable(self.call.principal.organization, routes, prompt, left)
            longest = longest if paid is None else min(longest, paid // copies)
        return max(1, longest)

    def fit(self, max_tokens: int | None) -> int | None:
        """How long the answer may be now that the prompt is composed: what the lease pays for, under a hard budget.
        Raises PaymentRequired when that is nothing."""
        if not self.hard or self.lease is None:
            return max_tokens
        organization, held = self.call.principal.organization, self.lease.estimate_micros
        paid = ceilings.affordable(organization, self.plan.routes, self.prompt_bytes, held)
        if paid == 0:
            raise PaymentRequired("The budget left does not pay for this prompt.", code="budget_exceeded")
        known = [one for one in (max_tokens, paid) if one is not None]
        self.limit = min(known) if known else None
        return self.limit

    async def ask(self, opening: Awaitable[T]) -> T:
        """Wait for the first frame of one call to the one target, never tried again. Costs as with ``walk``."""

        async def start(route: Route, made: list[Attempt], _: int | None) -> T:
            async def once() -> T:
                return await opening

            return await persist(once, made, retries=0)

        return await self.walk(start, stream=False)

    async def walk(self, start: Start[T], *, stream: bool) -> T:
        """Ask the plan's targets and wait for the first frame. What ends before it costs nothing when the provider said
        no, and an estimate when nobody can know: a time-out, or a caller who hung up."""
        self.span = observed.begin(self, stream=stream)
        try:
            opened = await walk(self.plan, start, self.legs, stream=stream)
        except GatewayError as error:
            self.routed("failed" if error.http_status >= 500 else "refused")
            raise
        self._first = time.monotonic()
        self.routed("ok")
        return opened

    @property
    def attempts(self) -> list[tuple[Route, Attempt]]:
        """Every attempt at every target, in order."""
        return [(leg.route, attempt) for leg in self.legs for attempt in leg.attempts]

    @property
    def route(self) -> Route:
        """The target that answered, or was asked last, or would have been asked first."""
        return self.legs[-1].route if self.legs else self.plan.first

    def routed(self, verdict: str) -> None:
        """Where the call went and why, and each attempt when the first one was not the last."""
        made, many = self.attempts, len(self.legs) > 1
        shown: dict[str, Any] = {}
        if len(made) > 1:
            shown["attempts"] = [
                {**one.wire(), "attempt": at, **({"model": route.name} if many else {})}
                for at, (route, one) in enumerate(made, 1)
            ]
        facts = {**self.route.facts(), **self.plan.facts()}
        self.call.decided("route", verdict, **facts, attempt=max(1, len(made)), **shown)

    def seen(self, chunk: bytes) -> None:
        """A piece of a streamed answer passed."""
        self.seen_bytes += len(chunk)
        self.frames += chunk.count(b"\n\n")

    def overruns(self) -> bool:
        """Whether the stream has gone on for longer than a provider that minds ``max_tokens`` would let it."""
        return self.limit is not None and self.frames > ceilings.most_frames(self.limit)

    def token_usage(self) -> tuple[TokenUsage, UsageSource]:
        """The counts of the answer and where they come from."""
        if self.usage is not None:
            return self.usage, UsageSource.PROVIDER
        made = self.attempts
        if self.saved is not None or not made or not made[-1][1].may_have_worked:
            return _NOTHING, UsageSource.PROVIDER
        spoken = -(-max(0, self.seen_bytes - self.frames * _FRAME_BYTES) // _BYTES_PER_TOKEN_GUESS)
        guess = TokenUsage(self._prompt_guess(), max(self.frames, spoken), 0)
        return guess, UsageSource.ESTIMATED if self.ended == "ok" else UsageSource.PARTIAL

    def _prompt_guess(self) -> int:
        return self.prompt_bytes // _BYTES_PER_TOKEN_GUESS

    def failed(self, error: BaseException) -> None:
        """The call ended in an error. A cancelled one is the caller's hanging up, which ``settle`` assumes by
        itself."""
        if not isinstance(error, Exception):
            return
        told = error if isinstance(error, GatewayError) else GatewayError(type(error).__name__)
        if self._first is not None and self.saved is None:  # what failed before the first frame is noted by then
            self.route.entry.health.note(self.route.model, told)
        self.ended, self.status = told.code, told.http_status
        verdict = "refused" if told.http_status < 500 else "failed"
        self.call.decided("answer", verdict, code=told.code, **enforcement.why(told))

    async def settle(self) -> None:
        """Settle now. Once begun it completes (admission sees to it) even if the request's task is cancelled."""
        if self.lease is not None:
            lease, self.lease = self.lease, None
            if self.ended is None:  # nobody said how it ended: the caller hung up
                self.ended, self.status = "client_closed", 499
            earlier = self._earlier()
            settlement = self.settlement(lease, earlier)
            observed.settled(self, settlement, earlier)
            with tracing.span(self.call, "settle"):
                await gate.settle(lease, settlement, earlier)

    def price(self, route: Route, usage: TokenUsage) -> Price:
        """What so much use of a target costs this organization."""
        own = own_prices.of(self.call.principal.organization, route.name)
        return prices.price(route.entry.price_as, route.model, usage, own)

    def _earlier(self) -> list[Settlement]:
        made, guess = self.attempts[:-1], self._prompt_guess()
        priced = [self.price(route, settlements.guessed(attempt, guess)) for route, attempt in made]
        return settlements.before(
            made, guess, priced, alias=self.facts.get("alias"), stream=self.facts.get("stream", False)
        )

    def settlement(self, lease: Lease, earlier: Sequence[Settlement]) -> Settlement:
        """The last attempt's, as it stands now."""
        usage, source = self.token_usage()
        price = full = self.price(self.route, usage)
        if self.hard:
            price = settlements.within(full, lease.estimate_micros - sum(one.charged_micros for one in earlier))
        if self.saved is not None:
            price = Price(0, 0, 0, self.saved.price_version)
        self._priced(full, price)
        now = time.monotonic()
        made = self.attempts
        worked = any(attempt.may_have_worked for _, attempt in made)
        return Settlement(
            status=self.status,
            outcome=self.ended or "client_closed",
            model=self.route.name,
            provider=self.route.provider.name,
            attempt=max(1, len(made)),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            memory_recalls=self.memory_recalls,
            cache_hit=self.cache_hit or self.saved is not None,
            usage_source=source,
            provider_cost_micros=price.provider_cost_micros or 0,
            markup_micros=price.markup_micros or 0,
            charged_micros=price.charged_micros or 0,
            price_version=price.price_version,
            latency_ms=round((now - self._started) * 1000),
            ttft_ms=None if self._first is None else round((self._first - self._started) * 1000),
            counts_as_call=self.saved is not None or worked,
            alias=self.facts.get("alias"),
            stream=self.facts.get("stream", False),
            saved_micros=(self.saved.charged_micros or 0) if self.saved is not None else 0,
            parent_id=self.call.parent_id,
            own_credential=settlements.owned(self.route),
            record={
                "decisions": self.call.decisions,
                "surface": self.call.surface,
                "attempts": max(1, len(made)),
                "persona_version": self.persona_version,
                **({"shadow": self.call.shadow} if self.call.shadow is not None else {}),
                **self.facts,
            },
        )

    def _priced(self, full: Price, price: Price) -> None:
        """The price's line in the decision record; what a hard budget did not let us charge is shown."""
        known = price.provider_cost_micros is not None
        facts: dict[str, Any] = {"version": price.price_version, "charged_micros": price.charged_micros}
        if self.saved is not None:
            facts["saved_micros"] = self.saved.charged_micros
        elif price is not full:
            facts |= {"bounded": True, "full_micros": full.charged_micros}
        self.call.decided("price", "ok" if known else "unpriced", **facts)
