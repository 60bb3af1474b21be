"""One turn: admit → recall → compose → model → extract → cite → settle. The only implementation; every surface
consumes its events.

``answer`` yields nothing until the model's first frame has arrived, so a surface can still answer with an HTTP error;
from then on an error is raised out of the iteration and becomes the dialect's error event. Whatever happens, the
lease is settled once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.core.errors import Forbidden
from gateway.engine.chat import compose, enforcement, messages, observed, prepare, redirects, shadowing, tools, unpriced
from gateway.engine.chat.citations import uri_of
from gateway.engine.chat.metering import Meter
from gateway.engine.chat.outcome import conclude
from gateway.engine.chat.reader import Reader
from gateway.engine.chat.settlements import facts_of
from gateway.engine.chat.types import Answer, ChatRequest, Event
from gateway.engine.routing import tiers
from gateway.platform.flags import catalogue
from gateway.platform.providers.attempts import Attempt
from gateway.platform.providers.entries import Route
from gateway.platform.providers.types import ModelDelta, ModelRequest, ModelStream
from gateway.platform.telemetry import tracing

# What persona, rules and memories usually add to the caller's messages: held as well, under a hard budget.
_COMPOSED_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class _Turn:
    """What stays the same through one turn; ``instead`` is ``shadowing.planned``'s."""

    call: Call
    request: ChatRequest
    meter: Meter
    offers_writes: bool
    instead: tuple[str, ...]


async def answer(call: Call, request: ChatRequest) -> AsyncGenerator[Event, None]:
    """The events of one turn, the last being ``message.done`` with the whole answer. Raises GatewayError at any
    point."""
    principal = call.principal
    call.body_days = 0  # nothing is kept of a turn that ends before its policy was read
    request = prepare.admitted(principal, request)
    offers_writes = request.rehearsal is None and bool(catalogue.value(principal.organization, "enable_proposals"))
    tools.check(request.tools, request.tool_choice, offers_writes=offers_writes)
    needs = needs_of(request)
    whose = {"subject_id": request.subject_id, "persona_id": request.persona_id}
    try:
        plan, instead = await shadowing.planned(call, request.model, needs=needs)
    except Forbidden as error:
        await enforcement.refused(call, error, **whose)
        raise
    plan = unpriced.guarded(call, plan, subject_id=request.subject_id)
    route = plan.first
    # From here on the model has its full name, so that a policy cannot be gone around by an alias.
    request = replace(request, model=route.name, targets=plan.names, messages=messages.accepted(request.messages))
    facts = facts_of(
        call,
        provider=route.provider.name,
        model=request.model,
        persona_id=request.persona_id,
        subject_id=request.subject_id,
        alias=route.alias,
        stream=request.stream,
    )
    meter = Meter(call, plan, request.body_bytes, facts)
    await meter.open(max_tokens=request.max_tokens, subject_id=request.subject_id, spare_bytes=_COMPOSED_BYTES)
    try:
        turn = _Turn(call, request, meter, offers_writes, instead)
        async with aclosing(_events(turn)) as events:
            async for event in events:
                yield event
    except Exception as error:
        meter.failed(error)
        await enforcement.refused(call, error, **whose)
        raise
    finally:
        await meter.settle()
        observed.turn_ended(meter, request)


async def whole(call: Call, request: ChatRequest) -> Answer:
    """One turn for a caller who waits for all of it. Raises GatewayError."""
    async with aclosing(answer(call, request)) as events:
        async for event in events:
            if event.answer is not None:
                done = event.answer
    return done


async def _events(turn: _Turn) -> AsyncGenerator[Event, None]:
    call, request, meter = turn.call, turn.request, turn.meter
    with tracing.span(call, "recall") as step:
        prepared = await prepare.ready(call, request, instead=turn.instead)
        step.set(ikiro__memories=len(prepared.recall.memories), ikiro__cache_hit=prepared.recall.cache_hit)
    # The turn's own policy knows the subject's too: what that forbids is left out like the rest.
    meter.plan = meter.plan.permitted(prepared.policy)
    _record(call, prepared, meter)
    observed.recalled(call, prepared.recall)
    reader = Reader(prepared, meter)
    with tracing.span(call, "compose"):
        asked = _model_request(turn, prepared)

    async def ask(route: Route, made: list[Attempt], retries: int | None) -> ModelStream:
        prepared.policy.check_model(route.name)  # the policy as it is now; the plan's may be a second old
        return await route.open(replace(asked, model=route.model), made, retries=retries)

    redirect = prepared.redirect
    stream: AsyncGenerator[ModelDelta, None] | ModelStream = (
        redirects.said(redirect) if redirect is not None else await meter.walk(ask, stream=request.stream)
    )
    request = replace(request, model=meter.route.name)
    async with aclosing(stream):
        yield Event("message.start", _start(call, request, prepared))
        yield Event("memory.recalled", _recalled(prepared))
        async for delta in stream:
            meter.frames += 1
            for event in reader.feed(delta):
                yield event
            if redirect is None and reader.redirect is not None:
                break
            if meter.overruns():
                call.decided("answer", "refused", code="max_tokens_exceeded", max_tokens=meter.limit)
                for event in reader.feed(ModelDelta(finish_reason="length")):
                    yield event
                break
    for event in reader.finish():
        yield event
    if redirect is None:
        redirects.settle_on(call, reader, whole=not request.stream)
    if reader.findings:
        await enforcement.send(call, prepared.policy, reader.findings, **_whose(prepared))
    outcome = await conclude(call, prepared, reader, prose=not request.structured, model=request.model)
    if outcome.note:
        yield Event("content.delta", {"index": 0, "delta": {"content": outcome.note}})
    for proposal in outcome.proposed:
        yield Event("proposal.created", proposal)
    usage = reader.usage()
    yield Event("usage", usage.wire())
    meter.ended, meter.finish_reason = "ok", reader.finish_reason
    done = Answer(
        request_id=call.request_id,
        model=request.model,
        persona_id=prepared.persona.persona_id,
        persona_version=prepared.persona.version,
        conversation_id=prepared.conversation.public_id,
        content=(reader.content + outcome.note) or None,
        tool_calls=reader.tool_calls,
        finish_reason=reader.finish_reason,
        citations=tuple(reader.citations),
        proposed_writes=outcome.proposed,
        rejected_writes=outcome.rejected,
        usage=usage,
        refused=reader.refused,
    )
    # Settled before the caller sees the end, so that what it reads next about this request is already true.
    await meter.settle()
    yield Event("message.done", done.wire(), done)


def _model_request(turn: _Turn, prepared: prepare.Prepared) -> ModelRequest:
    request, policy = turn.request, prepared.policy
    offer = tools.offer(prepared.tools, request.tool_choice, offers_writes=turn.offers_writes)
    parts = compose.parts(
        persona_prompt=prepared.persona.prompt,
        situation=prepared.situation,
        policy=policy,
        memories=prepared.recall.memories,
        offers_writes=offer.writes,
    )
    composed = compose.compose(parts, prepared.messages)
    turn.meter.prompt_bytes = messages.prompt_bytes(composed, request.body_bytes)
    params = dict(prepared.params)
    given = (request.max_tokens, policy.max_output_tokens, turn.meter.applied)
    known = [one for one in given if one is not None]
    most = turn.meter.fit(min(known) if known else None)
    if policy.max_output_tokens is not None or turn.meter.hard:
        # Under the name that the caller used: some models know only one of the two.
        name = "max_completion_tokens" if "max_completion_tokens" in params else "max_tokens"
        if most is not None:
            params[name] = most
    if turn.meter.hard and request.max_tokens is None and policy.max_output_tokens is None and most is not None:
        turn.call.headers["X-Max-Tokens-Applied"] = str(most)
        turn.call.decided("budget", "ok", max_tokens_applied=most)
    model = turn.meter.plan.first.model
    return ModelRequest(model, composed, offer.tools, offer.choice, params, request.stream)


def needs_of(request: ChatRequest) -> frozenset[str]:
    """What a model must be able to do for this turn, where it is to be chosen by that."""
    if request.model != tiers.AUTO:
        return frozenset()
    found = {tiers.TOOLS} if request.tools else set()
    if request.structured:
        found.add(tiers.JSON)
    contents = [one.get("content") for one in request.messages]
    if any(
        isinstance(one, dict) and one.get("type") == "image_url" for c in contents if isinstance(c, list) for one in c
    ):
        found.add(tiers.VISION)
    return frozenset(found)


def _recalled(prepared: prepare.Prepared) -> dict[str, Any]:
    recall, mode = prepared.recall, prepared.policy.redact_mode
    memories = [
        {"factId": one.public_id, "uri": uri_of(one, mode), "score": round(one.score, 4)} for one in recall.memories
    ]
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
    recall = prepared.recall
    meter.persona_version, meter.memory_recalls = prepared.persona.version, len(recall.memories)
    meter.cache_hit = recall.cache_hit
    prepare.decided(call, prepared)
    enforcement.note(call, prepared.policy, prepared.findings, **_whose(prepared))


def _whose(prepared: prepare.Prepared) -> dict[str, str]:
    return {"subject_id": prepared.subject.id, "persona_id": prepared.persona.persona_id}
