"""What a model call leaves for the operator: its span, by OpenTelemetry's GenAI conventions, and its metrics. Names and
numbers only; nothing of what was said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.core.endpoint import Call
from gateway.knowledge.memory.types import Recall
from gateway.platform.admission.types import Settlement
from gateway.platform.telemetry import events, tracing
from gateway.platform.telemetry.memories import memories
from gateway.platform.telemetry.metrics import metrics

if TYPE_CHECKING:
    from gateway.engine.chat.metering import Meter
    from gateway.engine.chat.types import ChatRequest


def begin(meter: Meter, *, stream: bool) -> tracing.Nothing:
    """The span of a model call, which whoever is asked carries on. ``settled`` ends it."""
    if meter.call.trace is None:
        return tracing.NOTHING
    first = meter.plan.first
    return tracing.model(
        meter.call, meter.operation, provider=first.provider.name, model=first.name, stream=stream or None
    )


def settled(meter: Meter, settlement: Settlement, earlier: Sequence[Settlement]) -> None:
    """How it went: once, when the call is settled. ``earlier`` attempts may have been charged as well."""
    provider = settlement.provider
    metrics.settled(provider, settlement)
    for before in earlier:
        metrics.charged(before.provider, before)
    for route, attempt in meter.attempts:
        metrics.attempted(route.provider.name, attempt.code)
    span, meter.span = meter.span, tracing.NOTHING
    if span is tracing.NOTHING:
        return
    span.set(
        gen_ai__provider__name=provider,
        gen_ai__response__model=settlement.model,
        gen_ai__usage__input_tokens=settlement.prompt_tokens,
        gen_ai__usage__output_tokens=settlement.completion_tokens,
        gen_ai__usage__cache_read__input_tokens=settlement.cached_tokens or None,
        gen_ai__response__finish_reasons=[meter.finish_reason] if meter.finish_reason else None,
        gen_ai__response__time_to_first_chunk=None if settlement.ttft_ms is None else settlement.ttft_ms / 1000,
        ikiro__attempts=len(meter.attempts),
        ikiro__outcome=settlement.outcome,
        ikiro__persona_id=meter.facts.get("persona_id"),
    )
    if settlement.outcome not in ("ok", "client_closed"):
        span.fail(settlement.outcome)
    span.end()


def recalled(call: Call, recall: Recall) -> None:
    """Memories were found; tell when the cache knew them."""
    memories.recalled(memories=len(recall.memories), cache_hit=recall.cache_hit, degraded=recall.degraded)
    if recall.cached is not None:
        key, ttl_s = recall.cached
        events.emit(
            "gateway_chat_cached",
            org_id=call.principal.ref.public_id,
            cache_key=events.hashed(key),
            ttl_remaining=ttl_s,
        )


def turn_ended(meter: Meter, request: ChatRequest) -> None:
    """A persona's turn is over, well or not."""
    if events.listening():
        events.emit(
            "gateway_chat_request",
            org_id=meter.call.principal.ref.public_id,
            persona_id=request.persona_id,
            model=meter.route.name,
            stream=request.stream,
            latency_ms=round((time.monotonic() - meter.call.began) * 1000),
        )
