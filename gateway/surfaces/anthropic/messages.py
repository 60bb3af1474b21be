"""`POST /v1/messages`: Anthropic's dialect, buffered and streamed, under our admission and ledger.

A call that names a persona is a turn of the chat engine, translated both ways; any other passes to the model, as the
bytes that it is where Anthropic's API serves the model, else translated.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Body, Call, Metering, Scope, call_of, endpoint
from gateway.engine.chat import counting, passthrough, pipeline
from gateway.engine.chat.types import ChatRequest
from gateway.platform.providers import messages_shape
from gateway.platform.providers.translate import IGNORED
from gateway.platform.providers.types import ModelRequest, Shape
from gateway.surfaces import endings, passing, persona_request, persona_turn, sse
from gateway.surfaces.anthropic import envelope, headers
from gateway.surfaces.anthropic.document import COUNT_TOKENS, MESSAGES
from gateway.surfaces.anthropic.envelope import Envelope, Options
from gateway.surfaces.openai.address import Address, addressed
from gateway.surfaces.openai.envelope import without_ours

router = Router(tags=["anthropic"])
# A persona speaks in its own voice; what the model thinks before it does is not masked, cited or shown.
_SILENT = ("thinking",)


@router.post("/messages", summary="Anthropic messages", openapi_extra=MESSAGES)
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE, surface="anthropic", raw=True)
async def create_message(request: HttpRequest) -> HttpResponseBase:
    """The official Anthropic clients work with the base URL changed. With `x-persona-id` and `x-subject-id` the answer
    is the persona's, with `citations` and `proposedWrites` as extra keys; without them the body passes to the model."""
    call, body = call_of(request), request.body
    version = headers.version_of(request.META)
    read = envelope.read(body)
    address = addressed(request.META, read)
    if address is not None:
        return await _turn(call, body, read, address, version)
    if read.has_ours:
        body = without_ours(body)
    stream = bool(read.stream)
    passed = await passthrough.forward(
        call,
        headers.carried(body, request.META),
        model=read.model,
        stream=stream,
        max_tokens=read.max_tokens,
        shape=Shape.MESSAGES,
        cache_control=request.META.get("HTTP_CACHE_CONTROL"),
    )
    return await passing.answered(passed, stream=stream, failure=_failure(call))


@router.post("/messages/count_tokens", summary="Count the tokens of a message", openapi_extra=COUNT_TOKENS)
@endpoint(scope=Scope.CHAT, body=Body.INFERENCE, surface="anthropic", raw=True, reads=True)
async def count_tokens(request: HttpRequest) -> HttpResponseBase:
    """How many input tokens a message would have. Free. Anthropic's models count themselves; for others the number is
    an estimate, which `estimated` and the header `x-ikiro-estimated` say."""
    call, body = call_of(request), request.body
    read = envelope.read_counted(body)
    counted = await counting.count(call, headers.carried(body, request.META), model=read.model)
    async with counted:
        whole = b"".join([chunk async for chunk in counted])
    return passing.noted(HttpResponse(whole, content_type="application/json"), counted)


async def _turn(call: Call, body: bytes, read: Envelope, address: Address, version: str) -> HttpResponseBase:
    left, asked, turn = turn_of(body, read, address, version)

    def writer(model: str) -> messages_shape.MessageWriter:
        answer_id = ids.public("req", call.request_id).removeprefix("req_")
        return messages_shape.MessageWriter(answer_id=answer_id, model=model)

    response: HttpResponseBase
    if asked.stream:
        events = await sse.peek(pipeline.answer(call, turn))
        response = sse.response(sse.with_heartbeats(persona_turn.frames(events, writer, _failure(call))))
    else:
        answer = await pipeline.whole(call, turn)
        response = HttpResponse(persona_turn.whole(answer, writer(answer.model)), content_type="application/json")
    if ignored := [*left, *asked.ignored]:
        response[IGNORED] = ", ".join(ignored)
    return response


def turn_of(body: bytes, read: Envelope, address: Address, version: str) -> tuple[list[str], ModelRequest, ChatRequest]:
    """(the names of what a turn leaves out, what a provider's reader understood of the rest, the turn). Raises
    BadRequest."""
    fields, left = persona_request.fields_of(body, Options, _SILENT)
    fields[messages_shape.VERSION] = version
    asked = messages_shape.request_of(fields, model=read.model, stream=bool(read.stream))
    return left, asked, persona_request.chat_request(asked, address, body_bytes=len(body), max_tokens=read.max_tokens)


def _failure(call: Call) -> passing.Failure:
    """The frame that says why a stream ends before its time."""

    def told(error: Exception, _: bytes) -> bytes:
        return endings.message_failed(error, call)

    return told
