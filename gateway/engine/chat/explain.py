"""What a call would come to: every step of a turn but the model's, in the same order and by the same code, with nothing
changed by it.

No lease is opened, no subject or conversation comes into being, no counter moves (the asking itself passes the request
rate like any request). A step that refuses is the last one, as it would be for the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, PaymentRequired, RateLimited, Unavailable
from gateway.engine import routing
from gateway.engine.chat import ceilings, compose, messages, passthrough, prepare, tools, unpriced
from gateway.engine.chat.types import ChatRequest
from gateway.engine.routing import Passing, Plan, tiers
from gateway.platform.admission import gate
from gateway.platform.flags import catalogue
from gateway.platform.providers import own_prices, prices
from gateway.platform.providers.types import Shape

# What a limit of this kind refuses with.
_ERRORS: dict[str, tuple[type[GatewayError], str]] = {
    "requests": (RateLimited, "rate_limited"),
    "tokens": (RateLimited, "token_rate_limited"),
    "concurrency": (RateLimited, "concurrency_limited"),
    "calls": (PaymentRequired, "quota_exceeded"),
    "budget": (PaymentRequired, "budget_exceeded"),
}


@dataclass(frozen=True, slots=True)
class PassThrough:
    """A call to the bare model: its envelope and how large its body is."""

    model: str
    body: bytes
    max_tokens: int | None


@dataclass(slots=True)
class Explanation:
    """The steps in order; ``error`` is what the call would be answered with, None when it would be let through to the
    model. ``prompt`` are sizes in bytes, ``price`` is in micro-dollars."""

    error: GatewayError | None = None
    plan: Plan | None = None
    prompt: dict[str, Any] = field(default_factory=dict)
    price: dict[str, Any] = field(default_factory=dict)


async def explain(call: Call, request: ChatRequest | PassThrough) -> Explanation:
    """Go every step that the call would; the lines are in ``call.decisions``. A refusal is in the result; what is our
    own trouble is raised, as GatewayError of 5xx."""
    found = Explanation()
    try:
        if isinstance(request, ChatRequest):
            await _turn(call, request, found)
        else:
            await _passed(call, request, found)
    except GatewayError as error:
        if error.http_status >= 500 and not isinstance(error, Unavailable):
            raise
        found.error = error
    return found


async def _turn(call: Call, request: ChatRequest, found: Explanation) -> None:
    principal = call.principal
    request = prepare.admitted(principal, request)
    offers_writes = bool(catalogue.value(principal.organization, "enable_proposals"))
    tools.check(request.tools, request.tool_choice, offers_writes=offers_writes)
    call.decided("grant", "ok", persona_id=request.persona_id, subject_id=request.subject_id, writes=offers_writes)
    plan = await routing.permitted(principal, request.model, request_id=call.request_id)
    plan = found.plan = _routed(call, unpriced.guarded(call, plan, subject_id=request.subject_id))
    request = replace(request, model=plan.first.name, targets=plan.names, messages=messages.accepted(request.messages))
    await _limits(call, plan, request.body_bytes, request.max_tokens, subject_id=request.subject_id)
    prepared = await prepare.ready(call, request, keep=False)
    persona, policy, recall = prepared.persona, prepared.policy, prepared.recall
    plan = found.plan = plan.permitted(policy)
    prepare.decided(call, prepared)
    if prepared.redirect is not None:
        return  # answered in the persona's own words; no model is asked, and nothing is paid
    parts = compose.parts(
        persona_prompt=persona.prompt,
        situation=prepared.situation,
        policy=policy,
        memories=recall.memories,
        offers_writes=offers_writes,
    )
    composed = compose.compose(parts, prepared.messages)
    found.prompt = {
        "messages": len(composed),
        "composed_bytes": messages.prompt_bytes(composed, request.body_bytes),
        "persona_bytes": len(persona.prompt.encode()),
        "memories_bytes": len(parts.volatile.encode()),
        "sent_bytes": request.body_bytes,
    }
    call.decided("compose", "ok", **found.prompt)
    answer = policy.max_output_tokens if policy.max_output_tokens is not None else request.max_tokens
    found.price = _price(call, plan, found.prompt["composed_bytes"], answer)


async def _passed(call: Call, request: PassThrough, found: Explanation) -> None:
    passthrough.check_key(call.principal)
    needs = tiers.needs_of(request.body) if request.model == tiers.AUTO else frozenset[str]()
    passing = Passing(request.body, Shape.CHAT)
    plan = await routing.permitted(call.principal, request.model, passing, request_id=call.request_id, needs=needs)
    plan = found.plan = _routed(call, unpriced.guarded(call, plan, subject_id=None))
    size = len(request.body)
    await _limits(call, plan, size, request.max_tokens, subject_id=None)
    found.prompt = {"sent_bytes": size, "composed_bytes": size}
    found.price = _price(call, plan, size, request.max_tokens)


def _routed(call: Call, plan: Plan) -> Plan:
    call.decided("route", "ok", **plan.first.facts(), **plan.facts())
    return plan


async def _limits(call: Call, plan: Plan, size: int, max_tokens: int | None, *, subject_id: str | None) -> None:
    estimate = ceilings.bound(call.principal.organization, plan.routes, size, max_tokens)
    tokens = size + (ceilings.ASSUMED if max_tokens is None else max_tokens)
    shown = await gate.preview(call, estimate_micros=estimate, tokens=tokens, subject_id=subject_id)
    refusing = next((one for one in shown if one["verdict"] in ("refused", "unknown")), None)
    facts: dict[str, Any] = {"estimate_micros": estimate, "tokens": tokens, "limits": shown}
    if refusing is None:
        call.decided("limits", "ok", **facts)
        return
    error = _refusal(refusing)
    call.decided("limits", "refused", code=error.code, **facts)
    raise error


def _refusal(limit: dict[str, Any]) -> GatewayError:
    if limit["verdict"] == "unknown":
        return Unavailable("What was spent is being counted again; try in a moment.", code="budget_unknown")
    kind, code = _ERRORS.get(limit["kind"], (RateLimited, "rate_limited"))
    what = f"{limit['scope']} {limit['kind']} limit of {limit['limit']}"
    wait = limit.get("reset_s") if issubclass(kind, RateLimited) else None
    return kind(f"The {what} leaves no room for this call.", code=code, retry_after=wait, extra={"limit": limit})


def _price(call: Call, plan: Plan, size: int, max_tokens: int | None) -> dict[str, Any]:
    organization, route = call.principal.organization, plan.first
    rates = prices.rates(route.entry.price_as, route.model, own_prices.of(organization, route.name))
    shown: dict[str, Any] = {
        "model": route.name,
        "at_most_micros": ceilings.bound(organization, plan.routes, size, max_tokens) if rates is not None else None,
        "max_tokens": max_tokens,
        "markup_percent": prices.MARKUP_PERCENT,
        "version": rates.version if rates is not None else prices.UNPRICED_VERSION,
    }
    call.decided("price", "ok" if rates is not None else "unpriced", **shown)
    return shown
