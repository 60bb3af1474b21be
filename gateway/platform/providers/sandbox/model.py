"""The provider ``ikiro`` with its one model ``sandbox``. Speaks the same types as every other provider, costs
nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.core.egress import UpstreamBroken, UpstreamTimeout
from gateway.core.errors import UpstreamError
from gateway.platform.providers import counting, translate
from gateway.platform.providers.errors import ModelNotFound, UpstreamRateLimited
from gateway.platform.providers.sandbox import embeddings, prompt, simulation
from gateway.platform.providers.sandbox.answer import answer
from gateway.platform.providers.sandbox.simulation import Simulation
from gateway.platform.providers.sandbox.words import count_tokens, spoken
from gateway.platform.providers.types import (
    Direct,
    Forwarded,
    ListedModel,
    ModelDelta,
    ModelRequest,
    ModelStream,
    Shape,
    Tally,
    TokenUsage,
    ToolCallDelta,
    first_of,
)

MODEL = "sandbox"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A whole answer, decided before its first word is sent."""

    words: list[str]
    calls: tuple[tuple[str, str, str], ...]  # (id, name, arguments)
    finish_reason: str
    usage: TokenUsage


class Sandbox:
    name = "ikiro"

    async def open(self, request: ModelRequest) -> ModelStream:
        """See ``Provider.open``."""
        _check(request.model)
        offered = _offered(request)
        simulated = simulation.read(request.params.get("metadata"), offered)
        deltas = _deltas(_plan(request, simulated, offered), simulated, stream=request.stream)
        return ModelStream(await first_of(deltas), deltas)

    async def models(self) -> tuple[ListedModel, ...]:
        """See ``Provider.models``."""
        return (ListedModel(MODEL, "Ikiro sandbox"),)

    def direct(self, model: str) -> Direct | None:
        """See ``Provider.direct``."""
        return None

    async def forward(self, body: bytes, *, model: str, stream: bool, shape: Shape = Shape.CHAT) -> Forwarded:
        """See ``Provider.forward``."""
        shown, digest = f"{self.name}/{model}", hashlib.sha256(body).hexdigest()[:24]
        if shape is Shape.COUNT_TOKENS:
            return counting.exact(body, model, lambda request: prompt_tokens(request.messages))
        if shape is Shape.EMBEDDINGS:
            _check(model)
            answer, usage = embeddings.answer(body, shown)
            return Forwarded(answer, None, {"content-type": "application/json"}, Tally(usage, finished=True))
        return await translate.forward(
            self.open, body, provider=self.name, model=model, shown=shown, stream=stream, shape=shape, answer_id=digest
        )


def _check(model: str) -> None:
    if model != MODEL:
        raise ModelNotFound(f"ikiro has one model, 'ikiro/{MODEL}'; {model!r} is not it.")


def prompt_tokens(messages: Iterable[dict[str, Any]]) -> int:
    """What the sandbox counts a prompt as: the words and marks of its texts."""
    return sum(count_tokens(prompt.text_of(message)) for message in messages)


def _offered(request: ModelRequest) -> frozenset[str]:
    functions = (tool.get("function") for tool in request.tools)
    return frozenset(str(function.get("name")) for function in functions if isinstance(function, dict))


def _plan(request: ModelRequest, simulated: Simulation, offered: frozenset[str]) -> _Plan:
    said = answer(prompt.read(request.messages), offered)
    text = said.text if simulated.reply is None else simulated.reply
    wanted = [(intent.tool, json.dumps(intent.arguments, ensure_ascii=False)) for intent in said.intents]
    if simulated.tool_call is not None:
        wanted.append(simulated.tool_call)
        text = text if simulated.reply is not None or said.intents else ""
    calls = tuple((_call_id(request, at), name, arguments) for at, (name, arguments) in enumerate(wanted))
    words, finish = spoken(text), "tool_calls" if calls else "stop"
    most = request.params.get("max_completion_tokens") or request.params.get("max_tokens")
    if isinstance(most, int) and not isinstance(most, bool) and 0 < most < len(words):
        words, calls, finish = words[:most], (), "length"
    completion = count_tokens("".join(words)) + sum(count_tokens(arguments) for _, _, arguments in calls)
    return _Plan(words, calls, finish, TokenUsage(prompt_tokens(request.messages), completion))


def _call_id(request: ModelRequest, at: int) -> str:
    digest = hashlib.sha256(repr(request.messages).encode())
    return f"call_{digest.hexdigest()[:20]}{at:02d}"


async def _deltas(plan: _Plan, simulated: Simulation, *, stream: bool) -> AsyncGenerator[ModelDelta, None]:
    if simulated.delay_s:
        await asyncio.sleep(simulated.delay_s)
    error = _error(simulated.error)
    if error is not None and (simulated.error != "mid_stream" or not stream):
        raise error
    if not stream:
        calls = tuple(ToolCallDelta(at, *call) for at, call in enumerate(plan.calls))
        yield ModelDelta("".join(plan.words) or None, calls, plan.finish_reason, plan.usage)
        return
    for number, delta in enumerate(_pieces(plan)):
        if error is not None and number >= max(1, len(plan.words) // 2):
            raise error
        if number and simulated.chunk_delay_s:
            await asyncio.sleep(simulated.chunk_delay_s)
        yield delta
    if error is not None:
        raise error
    yield ModelDelta(finish_reason=plan.finish_reason)
    yield ModelDelta(usage=plan.usage)


def _pieces(plan: _Plan) -> list[ModelDelta]:
    """Word by word, then each call in three fragments, as a real model would send it."""
    pieces = [ModelDelta(word) for word in plan.words]
    for at, (call_id, name, arguments) in enumerate(plan.calls):
        half = len(arguments) // 2
        fragments: list[Any] = [
            ToolCallDelta(at, call_id, name),
            ToolCallDelta(at, arguments=arguments[:half]),
            ToolCallDelta(at, arguments=arguments[half:]),
        ]
        pieces += [ModelDelta(tool_calls=(fragment,)) for fragment in fragments]
    return pieces


def _error(kind: str | None) -> UpstreamError | None:
    match kind:
        case "rate_limited":
            return UpstreamRateLimited("The sandbox pretends to be rate limited.", retry_after=1.0)
        case "server_error":
            return UpstreamError("The sandbox pretends to have failed.")
        case "timeout":
            return UpstreamTimeout("The sandbox pretends to have timed out.")
        case "mid_stream":
            return UpstreamBroken("The sandbox pretends to have broken off.")
        case _:
            return None
