"""`POST /v1/chat/completions`: OpenAI's dialect, buffered and streamed, under our admission and ledger.

A call that names a persona is a turn of the chat engine, translated both ways; any other passes through to the model as
the bytes that it is.
"""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router

from gateway.core.endpoint import Body, Call, Metering, Scope, call_of, endpoint
from gateway.engine.chat import passthrough, pipeline
from gateway.surfaces import passing, sse
from gateway.surfaces.openai import answers, envelope, turn
from gateway.surfaces.openai.address import Address, addressed
from gateway.surfaces.openai.document import COMPLETIONS
from gateway.surfaces.openai.envelope import Envelope

router = Router(tags=["openai"])


@router.post("/chat/completions", summary="OpenAI chat completions", openapi_extra=COMPLETIONS)
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE, surface="openai", raw=True)
async def completions(request: HttpRequest) -> HttpResponseBase:
    """The official OpenAI clients work with the base URL changed. With `x-persona-id` and `x-subject-id` the answer is
    the persona's, as `POST /v1/chat` would give it, with `citations` and `proposedWrites` as extra keys; without them
    the body passes to the model as it is."""
    call, body = call_of(request), request.body
    read = envelope.read(body)
    address = addressed(request.META, read)
    if address is not None:
        return await _turn(call, body, read, address)
    if read.has_ours:
        body = envelope.without_ours(body)
    return await _passed(request, body, read)


async def _turn(call: Call, body: bytes, read: Envelope, address: Address) -> HttpResponseBase:
    asked, show_usage = turn.chat_request(body, read, address)
    if not asked.stream:
        whole = answers.completion(await pipeline.whole(call, asked))
        return HttpResponse(json.dumps(whole, default=str), content_type="application/json")
    events = await sse.peek(pipeline.answer(call, asked))
    frames = answers.frames(events, call, show_usage=show_usage)
    return sse.response(sse.with_heartbeats(frames))


async def _passed(request: HttpRequest, body: bytes, read: Envelope) -> HttpResponseBase:
    call, stream = call_of(request), bool(read.stream)
    passed = await passthrough.forward(
        call,
        body,
        model=read.model,
        stream=stream,
        max_tokens=read.max_completion_tokens or read.max_tokens,
        cache_control=request.META.get("HTTP_CACHE_CONTROL"),
    )
    return await passing.answered(passed, stream=stream, failure=lambda error, _: answers.failure(error, call))
