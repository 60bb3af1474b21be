"""A plain pass-through to a model: no persona, no memory, the same admission and the same ledger.

The body stays the bytes that the caller sent; only its envelope (model, stream, max tokens) is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.core.endpoint import Call
from gateway.engine.chat.metering import Meter, facts_of
from gateway.platform.providers import registry
from gateway.platform.providers.types import Forwarded


@dataclass(slots=True)
class Passed:
    """An upstream answer on its way to the caller, with the meter that follows it."""

    forwarded: Forwarded
    meter: Meter

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
            meter.usage = forwarded.usage
            await meter.settle()
        return body

    async def stream(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come; settled at the end, however it comes. Raises GatewayError when the provider
        breaks off."""
        meter, forwarded = self.meter, self.forwarded
        try:
            async with forwarded:
                async for chunk in forwarded:
                    meter.seen_bytes += len(chunk)
                    yield chunk
            meter.ended = "ok"
        except Exception as error:
            meter.failed(error)
            raise
        finally:
            meter.usage = forwarded.usage
            await meter.settle()


async def forward(call: Call, body: bytes, *, model: str, stream: bool, max_tokens: int | None) -> Passed:
    """Admit, ask the provider and wait for its first bytes. Raises GatewayError before anything was promised to the
    caller."""
    provider, name = registry.resolve(model)
    facts = facts_of(call, provider=provider.name, model=model)
    meter = Meter(call, provider.name, model, len(body), facts)
    await meter.open(max_tokens=max_tokens)
    try:
        return Passed(await meter.ask(provider.forward(body, model=name, stream=stream)), meter)
    except BaseException as error:
        meter.failed(error)
        await meter.settle()
        raise
