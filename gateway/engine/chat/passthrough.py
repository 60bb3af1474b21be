"""A plain pass-through to a model: no persona, no memory, the same admission and the same ledger.

The body stays the bytes that the caller sent; only its envelope (model, stream, max tokens) is read. Under a hard
budget a limit that the caller left out is put in. A lock that such a call cannot keep refuses it (``held``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from gateway.core import ids
from gateway.core.egress import UpstreamBroken
from gateway.core.endpoint import Call
from gateway.core.errors import Forbidden
from gateway.engine import routing
from gateway.engine.chat import ceilings, response_cache, shadowing, unpriced
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.response_cache import Slot
from gateway.engine.chat.settlements import facts_of
from gateway.engine.routing import NO_ANSWER, Passing, tiers
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Failed, Route
from gateway.platform.providers.types import Forwarded, Shape
from tenants.types import Principal

_OPERATIONS = {Shape.EMBEDDINGS: "embeddings", Shape.COUNT_TOKENS: "count_tokens"}
APPLIED, CACHE = "X-Max-Tokens-Applied", "X-Cache"


@dataclass(slots=True)
class Passed:
    """An upstream answer on its way to the caller, with the meter that follows it; ``slot`` keeps it, where the caller
    opted in to that."""

    forwarded: Forwarded
    meter: Meter
    shape: Shape = Shape.CHAT
    slot: Slot | None = None

    async def whole(self) -> bytes:
        """The complete body, settled before it is returned."""
        meter, forwarded = self.meter, self.forwarded
        try:
            body = b"".join([chunk async for chunk in forwarded])
            meter.seen_bytes, meter.ended = len(body), "ok"
        except Exception as error:
            meter.failed(error)
            raise
        finally:
            await forwarded.aclose()
            self._counted()
            await meter.settle()
        if self.slot is not None:
            await self.slot.put(body, forwarded, meter.route.name)
        return body

    async def stream(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come; settled at the end, however it comes. Raises GatewayError when the provider
        breaks off."""
        meter, forwarded = self.meter, self.forwarded
        kept: list[bytes] | None = [] if self.slot is not None else None
        try:
            async with forwarded:
                async for chunk in forwarded:
                    meter.seen(chunk)
                    if kept is not None:
                        kept.append(chunk)
                        if meter.seen_bytes > response_cache.MOST_BYTES:
                            kept = None
                    yield chunk
                    if meter.overruns():
                        kept = None
                        yield self._cut_short()
                        break
            meter.ended = "ok"
        except Exception as error:
            meter.failed(error)
            raise
        finally:
            self._counted()
            await meter.settle()
        if kept is not None and self.slot is not None:
            await self.slot.put(b"".join(kept), forwarded, meter.route.name)

    def _counted(self) -> None:
        if self.meter.saved is None:  # what a kept answer used was paid for when it was made
            self.meter.usage = self.forwarded.usage

    def _cut_short(self) -> bytes:
        """The end of a stream whose provider ignores ``max_tokens``, where money sets the limit."""
        call = self.meter.call
        call.decided("answer", "refused", code="max_tokens_exceeded", max_tokens=self.meter.limit)
        if self.shape is not Shape.CHAT:
            raise UpstreamBroken(f"{self.meter.route.provider.name} went on beyond max_tokens.")
        made = int(ids.created_at(call.request_id).timestamp())
        last = {
            "id": ids.public("chat", call.request_id), "object": "chat.completion.chunk", "created": made,
            "model": self.meter.route.model, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}],
        }  # fmt: skip
        return b"data: " + msgspec.json.encode(last) + b"\n\ndata: [DONE]\n\n"


def check_key(principal: Principal) -> None:
    """A key that was narrowed to personas or people is not one for the bare model."""
    grant = principal.grant
    if grant.persona_ids is None and grant.subject_ids is None:
        return
    code = "subject_not_allowed" if grant.persona_ids is None else "persona_not_allowed"
    raise Forbidden("This key is narrowed: name a persona and a subject that it may speak with and for.", code=code)


async def forward(
    call: Call,
    body: bytes,
    *,
    model: str,
    stream: bool,
    max_tokens: int | None,
    shape: Shape = Shape.CHAT,
    cache_control: str | None = "no-store",
) -> Passed:
    """Admit, ask one target after the other and wait for the first bytes. ``cache_control`` is the caller's header,
    None without one; where a surface does not say, nothing is cached. Raises GatewayError before anything was promised
    to the caller."""
    if (begun := call.begun) is not None:  # admitted already, and tried once
        call.begun = None
        return await _ask(begun.meter, body, stream=stream, shape=shape, failed=begun.failed)
    check_key(call.principal)
    needs = tiers.needs_of(body) if model == tiers.AUTO else frozenset()
    plan, _ = await shadowing.planned(call, model, needs=needs, passing=Passing(body, shape))
    policy = (await routing.bound(call.principal)).policy
    call.body_days, call.body_mode = policy.retention.body_days, policy.redact_mode
    plan = unpriced.guarded(call, plan, subject_id=None)
    first = plan.first
    facts = facts_of(call, provider=first.provider.name, model=first.name, alias=first.alias, stream=stream)
    meter = Meter(call, plan, len(body), facts)
    meter.operation = _OPERATIONS.get(shape, "chat")
    slot = response_cache.slot(call, plan, body, stream=stream, shape=shape, cache_control=cache_control)
    await _open(meter, body, max_tokens, shape)
    return await _ask(meter, body, stream=stream, shape=shape, slot=slot)


async def _ask(
    meter: Meter, body: bytes, *, stream: bool, shape: Shape, slot: Slot | None = None, failed: Failed | None = None
) -> Passed:
    """Wait for the first bytes of an admitted call; ``failed`` is its first attempt, where that was made. What raises
    is settled."""
    try:
        if slot is not None:
            kept = await _kept(meter, slot)
            if kept is not None:
                return Passed(kept, meter, shape)
        sent = body if meter.applied is None else _limited(meter, meter.applied, body, shape)

        async def ask(route: Route, made: list[Attempt], retries: int | None) -> Forwarded:
            before = failed if not meter.legs[1:] else None
            return await route.forward(sent, made, stream=stream, shape=shape, retries=retries, failed=before)

        return Passed(await meter.walk(ask, stream=stream), meter, shape, slot)
    except BaseException as error:
        meter.failed(error)
        await meter.settle()
        raise


async def _open(meter: Meter, body: bytes, max_tokens: int | None, shape: Shape) -> None:
    copies = ceilings.copies(body) if shape is Shape.CHAT else 1
    await meter.open(max_tokens=max_tokens, copies=copies, completes=shape not in NO_ANSWER)


def _limited(meter: Meter, applied: int, body: bytes, shape: Shape) -> bytes:
    """The body with the limit that the caller left out, and word of it in header and decision record."""
    meter.call.headers[APPLIED] = str(applied)
    meter.call.decided("budget", "ok", max_tokens_applied=applied)
    return ceilings.limited(body, shape, applied)


async def _kept(meter: Meter, slot: Slot) -> Forwarded | None:
    """A kept answer to this very request, which then costs nothing."""
    hit = await slot.get()
    meter.call.headers[CACHE] = "hit" if hit is not None else "miss"
    if hit is None:
        return None
    by = next((route for route in meter.plan.routes if route.name == hit.model), meter.plan.first)
    meter.saved = meter.price(by, hit.usage)
    meter.call.decided("cache", "ok", hit=True, model=hit.model, saved_micros=meter.saved.charged_micros)
    return hit.forwarded
