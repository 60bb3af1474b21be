"""`POST /v1/responses`: OpenAI's Responses API, buffered and streamed, under our admission and ledger.

A call that names a persona is a turn of the chat engine, translated both ways; any other passes to the model, as the
bytes that it is where the model's provider speaks this API, else translated.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from msgspec import Meta
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Body, Call, Metering, Scope, call_of, endpoint
from gateway.core.errors import NotFound
from gateway.engine.chat import passthrough, pipeline
from gateway.engine.chat.types import ChatRequest
from gateway.platform.providers import responses_shape
from gateway.platform.providers.reading import Fields
from gateway.platform.providers.translate import IGNORED
from gateway.platform.providers.types import ModelRequest, Shape
from gateway.surfaces import endings, passing, persona_request, persona_turn, sse
from gateway.surfaces.openai import envelope
from gateway.surfaces.openai.address import Address, addressed
from gateway.surfaces.openai.document import RESPONSES
from gateway.surfaces.openai.envelope import ResponseEnvelope

router = Router(tags=["openai"])


class Options(msgspec.Struct):
    """The options of a persona's turn whose types matter before the model sees them."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    instructions: str | None = None
    metadata: Annotated[dict[str, Annotated[str, Meta(max_length=512)]], Meta(max_length=16)] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=128)] | None = None


@router.post("/responses", summary="OpenAI responses", openapi_extra=RESPONSES)
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE, surface="openai", raw=True)
async def create_response(request: HttpRequest) -> HttpResponseBase:
    """The Responses API of the official OpenAI clients, of the AI SDK and of the Agents SDK. Persona headers work as on
    chat completions. Nothing is stored: `previous_response_id` needs a provider's own credential."""
    call, body = call_of(request), request.body
    read = envelope.read_response(body)
    address = addressed(request.META, read)
    if address is not None:
        return await _turn(call, body, read, address)
    if read.has_ours:
        body = envelope.without_ours(body)
    stream = bool(read.stream)
    passed = await passthrough.forward(
        call,
        body,
        model=read.model,
        stream=stream,
        max_tokens=read.max_output_tokens,
        shape=Shape.RESPONSES,
        cache_control=request.META.get("HTTP_CACHE_CONTROL"),
    )
    return await passing.answered(passed, stream=stream, failure=_failure(call))


@router.get("/responses/{response_id}", summary="A stored response: there is none")
@endpoint(scope=Scope.CHAT, surface="openai")
async def get_response(request: HttpRequest, response_id: str) -> HttpResponse:
    """Answers are not stored here, so none can be fetched: always 404 `response_not_stored`."""
    raise _not_stored(response_id)


@router.delete("/responses/{response_id}", summary="Delete a stored response: there is none")
@endpoint(scope=Scope.CHAT, surface="openai")
async def delete_response(request: HttpRequest, response_id: str) -> HttpResponse:
    """Answers are not stored here, so there is nothing to delete: always 404 `response_not_stored`."""
    raise _not_stored(response_id)


def _not_stored(response_id: str) -> NotFound:
    return NotFound(
        f"There is no stored response {response_id!r}: this gateway stores no answers. Send the conversation so far as "
        "input.",
        code="response_not_stored",
    )


async def _turn(call: Call, body: bytes, read: ResponseEnvelope, address: Address) -> HttpResponseBase:
    fields, asked, turn = turn_of(body, read, address)

    def writer(model: str) -> responses_shape.ResponseWriter:
        answer_id = ids.public("req", call.request_id).removeprefix("req_")
        return responses_shape.ResponseWriter(answer_id=answer_id, model=model, asked=fields)

    response: HttpResponseBase
    if asked.stream:
        events = await sse.peek(pipeline.answer(call, turn))
        response = sse.response(sse.with_heartbeats(persona_turn.frames(events, writer, _failure(call))))
    else:
        answer = await pipeline.whole(call, turn)
        response = HttpResponse(persona_turn.whole(answer, writer(answer.model)), content_type="application/json")
    if asked.ignored:
        response[IGNORED] = ", ".join(asked.ignored)
    return response


def turn_of(body: bytes, read: ResponseEnvelope, address: Address) -> tuple[Fields, ModelRequest, ChatRequest]:
    """(the body's fields, what a provider's reader understood of them, the turn). Raises BadRequest."""
    fields, _ = persona_request.fields_of(body, Options, ())
    asked = responses_shape.request_of(fields, model=read.model, stream=bool(read.stream))
    turn = persona_request.chat_request(asked, address, body_bytes=len(body), max_tokens=read.max_output_tokens)
    return fields, asked, turn


def _failure(call: Call) -> passing.Failure:
    """The last frames of a response that fails."""

    def told(error: Exception, last: bytes) -> bytes:
        return endings.response_failed(error, call, last)

    return told
