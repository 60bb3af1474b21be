"""A plain pass-through to a model: no persona, no memory, the same admission and the same ledger.

The body stays the bytes that the caller sent; only its envelope (model, stream, max tokens) is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.core.endpoint import Call
from gateway.core.errors import Forbidden
from gateway.engine.chat.metering import Meter, facts_of
from gateway.platform.providers import registry
from gateway.platform.providers.types import Forwarded, Shape
from tenants.types import Principal


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


def _check_key(principal: Principal) -> None:
    """A key that was narrowed to personas or people is not one for the bare model."""
    grant = principal.grant
    if grant.persona_ids is None and grant.subject_ids is None:
        return
    code = "subject_not_allowed" if grant.persona_ids is None else "persona_not_allowed"
    raise Forbidden("This key is narrowed: name a persona and a subject that it may speak with and for.", code=code)


async def forward(
    call: Call, body: bytes, *, model: str, stream: bool, max_tokens: int | None, shape: Shape = Shape.CHAT
) -> Passed:
    """Admit, ask the provider and wait for its first bytes. Raises GatewayError before anything was promised to the
    caller."""
    _check_key(call.principal)
    route = await registry.route(call.principal.organization, model)
    facts = facts_of(call, provider=route.provider.name, model=route.name)
    meter = Meter(call, route, len(body), facts)
    await meter.open(max_tokens=max_tokens)
    try:
        return Passed(await meter.ask(route.forward(body, meter.attempts, stream=stream, shape=shape)), meter)
    except BaseException as error:
        meter.failed(error)
        await meter.settle()
        raise
