"""How many tokens a prompt has: asked of the model that would answer, without a lease and without a ledger entry."""

from __future__ import annotations

from gateway.core.endpoint import Call
from gateway.engine import routing
from gateway.engine.chat import passthrough
from gateway.engine.routing import Passing
from gateway.platform.providers.types import Forwarded, Shape


async def count(call: Call, body: bytes, *, model: str) -> Forwarded:
    """The count in Anthropic's shape, by the first model that the name leads to: another may count differently. Raises
    GatewayError."""
    passthrough.check_key(call.principal)
    passing = Passing(body, Shape.COUNT_TOKENS)
    planned = await routing.permitted(call.principal, model, passing, request_id=call.request_id)
    return await planned.first.forward(body, [], stream=False, shape=Shape.COUNT_TOKENS)
