"""Plain calls, prepared: a caller's buffered chat completions by one model, with everything that is the same for each
of them decided and encoded once.

``prepare`` asks the same functions that every call asks: routing, policy, limits, prices. What they said stands until
something that they looked at has changed (``Prepared.stands``), a minute at most. What a call leaves (lease,
settlement, ledger entry, decision record) is cut from what the usual ``Meter`` makes of an example. A call that turns
out to be anything but plain goes on as a usual one, from where it is (``Begun``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.core import clock, ids
from gateway.core.egress import Response, Sender, Sent
from gateway.core.endpoint import Call
from gateway.core.template import Marks
from gateway.core.valkey import Asker
from gateway.engine import routing
from gateway.engine.chat import ceilings, response_cache
from gateway.engine.chat.flights import Flight, opened_by
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.settlements import facts_of
from gateway.engine.routing import Leg, Plan, tiers
from gateway.platform.admission import gate, prepared, rules, verdicts
from gateway.platform.admission.limits import Applied, window_left
from gateway.platform.admission.prepared import Opened, PreparedAdmission, PreparedSettlement
from gateway.platform.admission.types import Admission, Lease, LeaseDraft
from gateway.platform.providers import own_prices, prices
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.types import Direct, Forwarded, Shape, TokenUsage
from gateway.platform.telemetry.metrics import metrics
from tenants.directory import directory
from tenants.killswitch import Kill
from tenants.rules import Disconnect
from tenants.types import ApiKey, Principal


async def prepare(call: Call, model: str, *, stream: bool) -> Prepared | None:
    """What ``call``'s caller may have of ``model``, streamed or not; None where that is not plain. ``call`` is an
    example: its caller is known and its decision record says so. What a lock asks of a body, and what a shadow says,
    is of each call, so that is not plain. Raises GatewayError where the caller may have nothing of it."""
    principal: Principal = call.principal
    if not _plain(principal) or model == tiers.AUTO or not await routing.by_model_alone(principal):
        return None
    organization = principal.organization
    killed = directory.killed
    plan = await routing.plan(organization, model, principal=principal, request_id=call.request_id)
    whole = rules.of(principal)
    route = plan.first
    direct = route.provider.direct(route.model)
    if (
        direct is None
        or not route.entry.health.steady(route.model)
        or len(plan.allowed) > 1
        or plan.left_out
        or plan.strategy is not None
        or plan.timeouts
        or not prepared.possible(whole)
        or response_cache.slot(call, plan, b"", stream=stream, shape=Shape.CHAT, cache_control=None) is not None
    ):
        return None
    return Prepared(call, plan, direct, whole, killed=killed, stream=stream)


def _plain(principal: Principal) -> bool:
    key = principal.key
    return (
        key is not None
        and principal.token is None
        and not principal.by_old_secret
        and key.persona_ids is None
        and key.subject_ids is None
        and key.on_disconnect == Disconnect.CANCEL
        and not principal.organization.settings.store_bodies
    )


class Prepared:
    """One caller's plain calls to one target."""

    def __init__(
        self, call: Call, plan: Plan, direct: Direct, whole: Applied, *, killed: Mapping[str, Kill], stream: bool
    ) -> None:
        self.stream = stream
        principal: Principal = call.principal
        self.principal, self.surface = principal, call.surface
        self._auth = dict(call.decisions[0])
        self._plan, self._route, self._direct = plan, plan.first, direct
        # The directory may have gone on while the plan was made: the first look compares with what it holds by then.
        self._killed, self._version = killed, -1
        route = self._route
        self._health = route.entry.health
        self._facts = facts_of(call, provider=route.provider.name, model=route.name, alias=route.alias, stream=stream)
        self._rates = prices.rates(route.entry.price_as, route.model, own_prices.of(principal.organization, route.name))
        draft = LeaseDraft(facts=Meter(call, plan, 0, self._facts).lease_facts())
        self._admission = PreparedAdmission(gate.request_of(call, whole, draft))
        self._settlements: dict[tuple[bytes, int], PreparedSettlement] = {}
        self._answers = metrics.answers(route.provider.name)
        self._uses, self._used_at = 0, 0.0
        self._loop, self._store = asyncio.get_running_loop(), gate.store()
        self._until = time.monotonic() + _stands_s(principal)

    def stands(self, now: float, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether everything that was looked at is still so, in this event loop. Raises Unavailable while nobody can
        know."""
        if (
            now >= self._until
            or directory.killed is not self._killed
            or loop is not self._loop
            or not self._health.steady(self._route.model)
        ):
            return False
        directory.require_fresh()
        return directory.version == self._version or self._unchanged()

    def _unchanged(self) -> bool:
        """Somebody's entry in the directory changed; perhaps not this caller's."""
        key, organization = self.principal.key, self.principal.organization
        self._version = directory.version
        still = key is not None and directory.key(key.public) is key
        if not still or directory.organization(organization.ref.id) is not organization:
            self._until = 0.0
        return self._until > 0

    def flight(self, number: int, began: float, prompt_bytes: int, max_tokens: int | None) -> Flight:
        """A call that is about to ask for admission: what to hold for it."""
        self._uses, self._used_at = self._uses + 1, began
        estimate = prices.estimated(self._rates, prompt_bytes, max_tokens)
        tokens = prompt_bytes + (ceilings.ASSUMED if max_tokens is None else max_tokens)
        return Flight(number, ids.text_of(number).encode(), began, prompt_bytes, estimate, tokens)

    def used(self) -> tuple[ApiKey, datetime, int] | None:
        """The key, when it was used here last and how often since this was asked; None if it was not."""
        uses, self._uses, key = self._uses, 0, self.principal.key
        if not uses or key is None:
            return None
        return key, clock.now() - timedelta(seconds=time.monotonic() - self._used_at), uses

    async def admit(self, flight: Flight) -> bool:
        """Whether the call is let in, with a lease; anything but a plain yes leaves nothing behind."""
        flight.opened = await self._admission.admit(
            self._store, flight.number, flight.request, flight.estimate, flight.tokens
        )
        flight.admitted, flight.held = time.monotonic(), flight.opened is not None
        return flight.held

    def let_in(self, flight: Flight, asker: Asker) -> None:
        """Ask for ``admit`` without waiting in a task: ``asker`` is told a reply for ``admitted``. Who stops waiting,
        or may have been let in unheard, says so by ``give_back``. Raises StoreUnavailable."""
        command = self._admission.command(flight.request, flight.estimate, flight.tokens)
        self._store.tell_packed(command, asker)

    def admitted(self, flight: Flight, reply: list[Any]) -> bool:
        """What ``let_in`` came to, as ``admit`` gives it."""
        flight.opened = self._admission.opened(reply)
        flight.admitted, flight.held = time.monotonic(), flight.opened is not None
        return flight.held

    def give_back(self, flight: Flight) -> None:
        """Nobody waits for the admission that was asked for."""
        self._admission.give_back(self._store, flight.number)

    def warm(self) -> bool:
        """Whether the model can be asked without opening a connection."""
        return self._direct.warm()

    def send(self, body: bytes, sender: Sender) -> Sent | None:
        """Begin ``ask`` without waiting in a task: ``sender`` is told what is for ``taken``. None where a connection
        has to be opened first. Raises BadRequest."""
        self._route.mark()
        return self._direct.send(body, sender)

    def taken(self, flight: Flight, response: Response, data: bytes) -> tuple[bytes, TokenUsage | None]:
        """What ``send`` came to, as ``ask`` gives it. Raises GatewayError."""
        answer = self._direct.taken(response, data)
        self._health.worked(round((time.monotonic() - flight.admitted) * 1000))
        return answer

    async def ask(self, flight: Flight, body: bytes) -> tuple[bytes, TokenUsage | None]:
        """The model's answer and its usage. Raises GatewayError."""
        self._route.mark()
        answer = await self._direct.whole(body)
        self._health.worked(round((time.monotonic() - flight.admitted) * 1000))
        return answer

    async def open(self, flight: Flight, body: bytes) -> Forwarded:
        """The model's answer as it streams; its first piece is there. Raises GatewayError."""
        self._route.mark()
        forwarded = await self._route.provider.forward(body, model=self._route.model, stream=True)
        self._health.worked(round((time.monotonic() - flight.admitted) * 1000))
        return forwarded

    async def settle(self, flight: Flight, size: int, usage: TokenUsage | None) -> None:
        """Settle an answer of so many bytes. Where its provider counted nobody waits for it."""
        if usage is None:
            meter = self.ended(flight, "ok")
            meter.seen_bytes, meter.ended = size, "ok"
            await meter.settle()
        else:
            self.post(flight, usage)

    def post(self, flight: Flight, usage: TokenUsage, written: Callable[[], None] | None = None) -> None:
        """Settle a counted answer; ``written`` is called once that is on its way."""
        flight.held = False
        gate.post_settlement(self._store, self._settlement(flight, opened_by(flight), usage), written)

    def _settlement(self, flight: Flight, opened: Opened, usage: TokenUsage) -> bytes:
        """The command that settles an answered call, which is counted where it is watched."""
        now = time.monotonic()
        spent_ms = round((now - flight.began) * 1000)
        cost = prices.priced(self._rates, usage)
        charged = cost.charged_micros or 0
        self._answers.add(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, charged, spent_ms / 1000)
        reply = opened.reply
        found = self._settlements.get((reply[3], opened.nearest)) or self._settle(opened)
        answered_ms = (now - flight.began) * 1000
        admitted_ms = (flight.admitted - flight.began) * 1000
        values = self._admission.numbers(reply)
        values.update({
            b"request": flight.request, b"month": reply[3], b"day": reply[4],
            b"prompt": usage.prompt_tokens, b"completion": usage.completion_tokens, b"cached": usage.cached_tokens,
            b"cost": cost.provider_cost_micros, b"markup": cost.markup_micros, b"charged": charged,
            b"latency": spent_ms, b"first": spent_ms,
            b"at_auth": 0.0, b"at_limits": admitted_ms, b"at_route": answered_ms, b"at_price": answered_ms,
        })  # fmt: skip
        return found.command(values)

    def _settle(self, opened: Opened) -> PreparedSettlement:
        """The settlement of an example, as the meter makes it."""
        marks = Marks()
        call = self._call(UUID(int=0), time.monotonic())
        now = verdicts.moment(opened.reply[2])
        call.decided("limits", "ok", **verdicts.facts_of(self._admission.marked(marks, opened.nearest), now))
        meter = Meter(call, self._plan, 0, self._facts)
        meter.legs.append(Leg(self._route, [Attempt(1, "ok", None, 0, 0)]))
        meter.usage = TokenUsage(marks.whole("prompt"), marks.whole("completion"), marks.whole("cached"))
        meter.ended = "ok"
        meter.routed("ok")
        lease = prepared.marked_lease(self._admission.lease(UUID(int=0), opened.reply, 0, 0), marks)
        made = replace(meter.settlement(lease, ()), latency_ms=marks.whole("latency"), ttft_ms=marks.whole("first"))
        if self._rates is not None:
            cost, markup = marks.whole("cost"), marks.whole("markup")
            made = replace(made, provider_cost_micros=cost, markup_micros=markup, charged_micros=cost + markup)
            marks.also(str(cost + markup), "%(charged)d")
        for line in call.decisions:
            line["at_ms"] = marks.tenth(f"at_{line['stage']}")
            if line.get("charged_micros") is not None:
                line["charged_micros"] = made.charged_micros
        found = self._settlements[opened.reply[3], opened.nearest] = PreparedSettlement(lease, made, marks)
        return found

    def lease(self, flight: Flight) -> Lease:
        """The lease of an admitted call."""
        return self._admission.lease(flight.request_id, opened_by(flight).reply, flight.estimate, flight.tokens)

    def meter(self, flight: Flight) -> Meter:
        """An admitted call as a usual one: from here on its lease is the meter's."""
        call, opened = self._call(flight.request_id, flight.began), opened_by(flight)
        states, lease = self._admission.states(opened.reply), self.lease(flight)
        gate.keep(lease)
        flight.held = False
        call.admission = Admission(states, lease, verdicts.facts_of(states, verdicts.moment(opened.reply[2])))
        gate.note_admitted(call, call.admission)
        meter = Meter(call, self._plan, flight.prompt_bytes, self._facts)
        meter.began(flight.began)
        meter.lease = lease
        return meter

    def ended(self, flight: Flight, code: str) -> Meter:
        """Likewise, with its one attempt made, which ended (``ok``: began to answer) now, with ``code``."""
        meter = self.meter(flight)
        spent = round((time.monotonic() - flight.admitted) * 1000)
        meter.legs.append(Leg(self._route, [Attempt(1, code, None, spent, 0)]))
        if code == "ok":
            meter.began(flight.began, time.monotonic())
            meter.routed("ok")
        return meter

    def _call(self, request_id: UUID, began: float) -> Call:
        call = Call(request_id, self.surface, principal=self.principal, began=began)
        call.decisions.append(dict(self._auth))
        return call


def _stands_s(principal: Principal) -> float:
    """Seconds until time alone changes something: a raise or the key ends, or the day of the price list."""
    now, key = clock.now(), principal.key
    ends = min(rules.stands_s(principal.organization, now), window_left("day", now))
    if key is None or key.expires_at is None:
        return ends
    return min(ends, (key.expires_at - now).total_seconds())
