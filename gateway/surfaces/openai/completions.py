"""`POST /v1/chat/completions`: OpenAI's dialect as a plain pass-through, buffered and streamed, under our admission
and ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router

from gateway.core.endpoint import Body, Call, Metering, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.engine.chat import passthrough
from gateway.surfaces import problems, sse
from gateway.surfaces.parsing import malformed

router = Router(tags=["openai"])
_PERSONA_HEADERS = {
    "HTTP_X_PERSONA_ID": "x-persona-id",
    "HTTP_X_SUBJECT_ID": "x-subject-id",
    "HTTP_X_MEMORY_SCOPES": "x-memory-scopes",
}


_Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Envelope(msgspec.Struct):
    """The few fields of the body that the gateway reads; the rest passes as it is."""

    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None


_decoder = msgspec.json.Decoder(Envelope)
_COMPLETION = {
    "type": "object",
    "description": "What the provider answered, as it is.",
    "required": ["choices"],
    "properties": {"choices": {"type": "array", "items": {"type": "object"}}},
    "additionalProperties": True,
}
_DOCUMENTED: dict[str, Any] = {
    "responses": {200: {"content": {"application/json": {"schema": _COMPLETION}}}},
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string", "examples": ["ikiro/sandbox"]},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                        "stream": {"type": ["boolean", "null"]},
                        "max_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
                        "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
                    },
                    "additionalProperties": True,
                }
            }
        },
    },
}


@router.post("/chat/completions", summary="OpenAI chat completions, passed through", openapi_extra=_DOCUMENTED)
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE, surface="openai", raw=True)
async def completions(request: HttpRequest) -> HttpResponseBase:
    """The official OpenAI clients work with the base URL changed. Nothing but the model's name is looked at."""
    call = call_of(request)
    _refuse_persona_headers(request)
    envelope = _envelope(request.body)
    stream = bool(envelope.stream)
    passed = await passthrough.forward(
        call,
        request.body,
        model=envelope.model,
        stream=stream,
        max_tokens=envelope.max_completion_tokens or envelope.max_tokens,
    )
    if stream:
        return sse.response(_frames(passed, call))
    return HttpResponse(await passed.whole(), content_type="application/json")


async def _frames(passed: passthrough.Passed, call: Call) -> AsyncIterator[bytes]:
    chunks = passed.stream()
    try:
        async for chunk in chunks:
            yield chunk
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield sse.frame(problems.openai_error(problems.told(error, call), call))
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]


def _envelope(body: bytes) -> Envelope:
    try:
        if not body.isascii():
            body.decode()  # the messages pass unread, and must not be the first to notice that this is no text
        envelope = _decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or (message.split("`")[1] if "`" in message else "")
        raise BadRequest(str(error), problems=(FieldProblem(f"#/{field}", "invalid", message),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from None
    if not envelope.messages:
        problem = FieldProblem("#/messages", "too_short", "must hold at least one message")
        raise BadRequest("messages must hold at least one message.", problems=(problem,))
    return envelope


def _refuse_persona_headers(request: HttpRequest) -> None:
    """Silently answering without the persona that was asked for would be worse than refusing."""
    named = [name for key, name in _PERSONA_HEADERS.items() if key in request.META]
    if named:
        raise BadRequest(
            f"{', '.join(named)}: this route passes through to the model and knows no personas; use POST /v1/chat.",
            code="persona_headers_unsupported",
        )
