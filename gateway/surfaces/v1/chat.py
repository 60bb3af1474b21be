"""`POST /v1/chat`: the native dialect over the one chat engine, buffered or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from ninja import Router

from gateway.core.endpoint import Body, Call, Metering, Scope, call_of, endpoint
from gateway.engine.chat import pipeline
from gateway.engine.chat.types import ChatRequest, Event
from gateway.surfaces import endings, sse
from gateway.surfaces.v1.schemas.chat import ChatIn, ChatOut

router = Router(tags=["chat"])
_PASSED = ("temperature", "response_format", "metadata", "max_tokens")


@router.post("/chat", response={200: ChatOut}, summary="One turn with a persona")
@endpoint(scope=Scope.CHAT, metering=Metering.CALL, body=Body.INFERENCE)
async def chat(request: HttpRequest, body: ChatIn) -> HttpResponseBase:
    """Loads the persona, recalls the subject's memories, applies policy, calls the model, and answers with citations
    and proposed writes that wait for approval. With `stream: true` the same as events; the last, `message.done`,
    carries the whole answer."""
    call = call_of(request)
    asked = translate(body, len(request.body))
    if body.stream:
        peeked = await sse.peek(pipeline.answer(call, asked))
        about = {"persona_id": asked.persona_id, "subject_id": asked.subject_id}
        return sse.response(sse.with_heartbeats(_frames(peeked, call, request.path)), about=about)
    return JsonResponse((await pipeline.whole(call, asked)).wire())


def translate(body: ChatIn, size: int) -> ChatRequest:
    """The turn that a body of so many bytes asks for."""
    params = {name: value for name in _PASSED if (value := getattr(body, name)) is not None}
    return ChatRequest(
        model=body.model,
        persona_id=body.persona_id,
        subject_id=body.subject_id,
        messages=tuple(message.model_dump(exclude_unset=True) for message in body.messages),
        memory_scopes=None if body.memory_scopes is None else tuple(body.memory_scopes),
        redact_mode=body.redact_mode,
        stream=bool(body.stream),
        conversation_id=body.conversation_id,
        persona_version=body.persona_version,
        mode=body.persona_mode or "direct",
        max_tokens=body.max_tokens,
        tools=tuple(body.tools or ()),
        tool_choice=body.tool_choice,
        params=params,
        body_bytes=size,
    )


async def _frames(events: AsyncIterator[Event], call: Call, path: str) -> AsyncIterator[bytes]:
    number = 0
    try:
        async for event in events:
            number += 1
            yield sse.frame(event.data, event=event.name, number=number)
    except Exception as error:  # noqa: BLE001 - a stream that was promised ends with an error event, whatever failed
        yield endings.native_failed(error, call, path, number=number + 1)
    finally:
        await events.aclose()  # type: ignore[attr-defined]
