"""The test call of `/v1/providers/{id}/test`: one short answer, paid for like every other."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from gateway.core.egress import UpstreamTimeout
from gateway.core.endpoint import Call
from gateway.core.errors import GatewayError, UpstreamError
from gateway.engine.chat import unpriced
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.settlements import facts_of
from gateway.engine.routing import Plan
from gateway.platform.providers import prices, snapshots
from gateway.platform.providers.entries import Entry, Route
from gateway.platform.providers.errors import ModelNotFound, ProviderFailed, UpstreamAuth
from gateway.platform.providers.stored import Kind, State, StoredProvider
from gateway.platform.providers.types import ModelDelta, ModelRequest
from gateway.surfaces.v1.schemas.providers import TrialErrorOut, TrialOut
from tenants.context import in_tenant

_WITHIN_S = 30.0
_MOST_TOKENS = 16
_ASKED = ({"role": "user", "content": "Answer with the one word: ok"},)
_DEFAULTS = {Kind.OPENAI: "gpt-4o-mini", Kind.ANTHROPIC: "claude-haiku-4-5"}
# Words in the names of models that cost little.
_SMALL = ("mini", "haiku", "small", "flash", "nano", "lite", "tiny", "instant")


async def trial(call: Call, stored: StoredProvider, model: str | None) -> TrialOut:
    """Ask the provider for a word, also while it is disabled. Raises GatewayError only for trouble of our own, and for
    what the caller's limits and budgets do not allow."""
    # Read now and not from the snapshot: the one who tests has often just changed it.
    entry = await in_tenant(call.principal.ref, snapshots.entry_of, replace(stored, state=State.ACTIVE))
    entry.check()
    began = time.monotonic()
    try:
        chosen = model or await _chosen(entry, stored.kind)
    except UpstreamAuth as error:  # no model needs to be asked to know that the key is wrong
        return _failed(error, _DEFAULTS[stored.kind], began)
    route = Route(entry, chosen, f"{stored.name}/{chosen}", None, call.principal.ref)
    plan = unpriced.guarded(call, Plan.of(route), subject_id=None)
    facts = facts_of(call, provider=stored.name, model=route.name)
    meter = Meter(call, plan, len(str(_ASKED)), facts)
    await meter.open(max_tokens=_MOST_TOKENS)
    try:
        answer = await _ask(meter, route)
    except (UpstreamError, ModelNotFound) as error:
        meter.failed(error)
        return _failed(error, chosen, began)
    except BaseException as error:
        meter.failed(error)
        raise
    finally:
        await meter.settle()
    price = prices.price(entry.price_as, chosen, answer.usage) if answer.usage else None
    return TrialOut(
        ok=True,
        model=chosen,
        latency_ms=round((time.monotonic() - began) * 1000),
        status=200,
        error=None,
        provider_cost_micros=(price.provider_cost_micros if price else None) or 0,
    )


async def _ask(meter: Meter, route: Route) -> ModelDelta:
    request = ModelRequest(route.model, _ASKED, params={"max_tokens": _MOST_TOKENS})
    try:
        async with asyncio.timeout(_WITHIN_S), await meter.ask(route.provider.open(request)) as stream:
            async for delta in stream:  # a buffered answer is one delta
                meter.usage, meter.ended = delta.usage, "ok"
                meter.seen_bytes = len(delta.content or "")
                return delta
    except TimeoutError:
        raise UpstreamTimeout(f"The provider did not answer within {_WITHIN_S:g} s.") from None
    raise RuntimeError("a buffered answer has exactly one delta")


async def _chosen(entry: Entry, kind: Kind) -> str:
    try:
        names = [one.id for one in await entry.provider.models()]
    except UpstreamAuth:
        raise
    except GatewayError:  # many servers have no list
        names = []
    default = _DEFAULTS[kind]
    if not names or default in names:
        return default
    return next((name for name in names if any(word in name.lower() for word in _SMALL)), names[0])


def _failed(error: GatewayError, model: str, began: float) -> TrialOut:
    said = error.said if isinstance(error, ProviderFailed) else ""
    return TrialOut(
        ok=False,
        model=model,
        latency_ms=round((time.monotonic() - began) * 1000),
        status=error.extra.get("provider_status"),
        error=TrialErrorOut(code=error.code, detail=said or error.detail),
        provider_cost_micros=0,
    )
