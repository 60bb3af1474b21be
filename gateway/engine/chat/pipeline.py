"""One turn: admit → recall → compose → model → extract → cite → settle. The only implementation; every surface
consumes its events.

``answer`` yields nothing until the model's first frame has arrived, so a surface can still answer with an HTTP error;
from then on an error is raised out of the iteration and becomes the dialect's error event. Whatever happens, the
lease is settled once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.engine.chat import compose, prepare, write_tools
from gateway.engine.chat.metering import Meter, facts_of
from gateway.engine.chat.outcome import conclude
from gateway.engine.chat.reader import Reader
from gateway.engine.chat.types import Answer, ChatRequest, Event
from gateway.platform.flags import catalogue
from gateway.platform.providers import registry
from gateway.platform.providers.types import ModelRequest, Provider
from tenants.context import in_tenant


@dataclass(frozen=True, slots=True)
class _Turn:
    """What stays the same through one turn."""

    call: Call
    request: ChatRequest
    provider: Provider
    model: str
    meter: Meter
    offers_writes: bool


async def answer(call: Call, request: ChatRequest) -> AsyncGenerator[Event, None]:
    """The events of one turn, the last being ``message.done`` with the whole answer. Raises GatewayError at any
    point."""
    principal = call.principal
    prepare.check_key(principal, request)
    offers_writes = bool(catalogue.value(principal.organization, "enable_proposals"))
    if offers_writes:
        write_tools.refuse_reserved(request.tools)
    provider, model = registry.resolve(request.model)
    facts = facts_of(
        call, provider=provider.name, model=request.model, persona_id=request.persona_id, subject_id=request.subject_id
    )
    meter = Meter(call, provider.name, request.model, request.body_bytes, facts)
    await meter.open(max_tokens=request.max_tokens)
    try:
        turn = _Turn(call, request, provider, model, meter, offers_writes)
        async with aclosing(_events(turn)) as events:
            async for event in events:
                yield event
    except Exception as error:
        meter.failed(error)
        raise
    finally:
        await meter.settle()


async def _events(turn: _Turn) -> AsyncGenerator[Event, None]:
    call, request, meter = turn.call, turn.request, turn.meter
    prepared = await in_tenant(call.principal.ref, prepare.prepare, request, call.principal, call.request_id)
    _record(call, prepared, meter)
    reader = Reader(prepared, meter)
    stream = await meter.ask(turn.provider.open(_model_request(turn, prepared)))
    async with aclosing(stream):
        yield Event("message.start", _start(call, request, prepared))
        yield Event("memory.recalled", _recalled(prepared))
        async for delta in stream:
            for event in reader.feed(delta):
                yield event
    for event in reader.finish():
        yield event
    outcome = await conclude(call, prepared, reader)
    if outcome.note:
        yield Event("content.delta", {"index": 0, "delta": {"content": outcome.note}})
    for proposal in outcome.proposed:
        yield Event("proposal.created", proposal)
    usage = reader.usage()
    yield Event("usage", usage.wire())
    meter.ended = "ok"
    done = Answer(
        request_id=call.request_id,
        model=request.model,
        persona_id=prepared.persona.persona_id,
        persona_version=prepared.persona.version,
        conversation_id=prepared.conversation.public_id,
        content=(reader.content + outcome.note) or None,
        tool_calls=reader.extraction.tool_calls,
        finish_reason=reader.extraction.finish_reason,
        citations=tuple(reader.citations),
        proposed_writes=outcome.proposed,
        rejected_writes=outcome.rejected,
        usage=usage,
    )
    # Settled before the caller sees the end, so that what it reads next about this request is already true.
    await meter.settle()
    yield Event("message.done", done.wire(), done)


def _model_request(turn: _Turn, prepared: prepare.Prepared) -> ModelRequest:
    request, policy = turn.request, prepared.policy
    messages = compose.compose(
        persona_prompt=prepared.persona.prompt,
        policy=policy,
        messages=request.messages,
        memories=prepared.recall.memories,
        offers_writes=turn.offers_writes,
    )
    size = sum(len(str(message.get("content") or "")) for message in messages)
    turn.meter.prompt_bytes = max(turn.meter.prompt_bytes, size)
    params = dict(request.params)
    if policy.max_output_tokens is not None:
        params["max_tokens"] = policy.max_output_tokens
    tools = (*request.tools, *write_tools.WRITE_TOOLS) if turn.offers_writes else request.tools
    return ModelRequest(turn.model, messages, tools, request.tool_choice, params, request.stream)


def _recalled(prepared: prepare.Prepared) -> dict[str, Any]:
    recall = prepared.recall
    memories = [{"factId": one.public_id, "uri": one.uri, "score": round(one.score, 4)} for one in recall.memories]
    return {"memory_recalls": len(memories), "cache_hit": recall.cache_hit, "memories": memories}


def _start(call: Call, request: ChatRequest, prepared: prepare.Prepared) -> dict[str, Any]:
    return {
        "id": ids.public("chat", call.request_id),
        "model": request.model,
        "persona_id": prepared.persona.persona_id,
        "persona_version": prepared.persona.version,
        "conversation_id": prepared.conversation.public_id,
    }


def _record(call: Call, prepared: prepare.Prepared, meter: Meter) -> None:
    persona, policy, recall = prepared.persona, prepared.policy, prepared.recall
    meter.persona_version, meter.memory_recalls, meter.cache_hit = (
        persona.version,
        len(recall.memories),
        recall.cache_hit,
    )
    call.decided("persona", "ok", persona_id=persona.persona_id, version=persona.version, digest=persona.digest)
    call.decided("policy", "ok", values=policy.trace_json())
    recalled = prepare.recalled_facts(recall)
    verdict = "degraded" if recall.degraded else "ok"
    call.decided("recall", verdict, memories=recalled, cache_hit=recall.cache_hit, version=recall.version)
    call.read("memory.recalled", prepared.subject.id, memories=[one["id"] for one in recalled])
