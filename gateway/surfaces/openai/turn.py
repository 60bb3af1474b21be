"""From an OpenAI body with an address to the one chat engine's request."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.engine.chat.messages import unsupported
from gateway.engine.chat.types import MAX_MESSAGES, ChatRequest
from gateway.surfaces.openai.address import Address
from gateway.surfaces.openai.envelope import OURS, Envelope, invalid
from gateway.surfaces.parsing import decoded, refuse_nul

Text = Annotated[str, Meta(max_length=512)]


class Options(msgspec.Struct):
    """What a persona's turn understands of OpenAI's options; all others go to the model as they are."""

    messages: Annotated[list[dict[str, Any]], Meta(max_length=MAX_MESSAGES)]
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    n: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    stop: str | list[str] | None = None
    metadata: Annotated[dict[Annotated[str, Meta(max_length=64)], Text], Meta(max_length=16)] | None = None
    stream_options: dict[str, Any] | None = None
    modalities: list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


_OWN = frozenset({"model", "messages", "stream", "stream_options", "n", "tools", "tool_choice", *OURS})
_SILENT = frozenset({"modalities", "logprobs", "top_logprobs"})
_NEVER = {
    "audio": "a persona does not speak; leave it out",
    "functions": "send tools instead",
    "function_call": "send tool_choice instead",
}


def chat_request(body: bytes, envelope: Envelope, address: Address) -> tuple[ChatRequest, bool]:
    """(the turn, whether a stream is to end with its usage). Raises BadRequest naming the parameter."""
    fields = decoded(body)
    if b"\\u0000" in body:
        refuse_nul(fields)
    try:
        options = msgspec.convert(fields, Options)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    _refuse_what_cannot_be(options, fields)
    params = {
        name: value for name, value in fields.items() if value is not None and name not in _OWN and name not in _SILENT
    }
    if "max_completion_tokens" in params:
        params.pop("max_tokens", None)
    request = ChatRequest(
        model=options.model,
        persona_id=address.persona_id,
        subject_id=address.subject_id,
        messages=tuple(options.messages),
        memory_scopes=address.memory_scopes,
        redact_mode=address.redact_mode,
        stream=bool(envelope.stream),
        conversation_id=address.conversation_id,
        persona_version=address.persona_version,
        mode=address.persona_mode,
        max_tokens=envelope.max_completion_tokens or envelope.max_tokens,
        tools=tuple(options.tools or ()),
        tool_choice=options.tool_choice,
        params=params,
        body_bytes=len(body),
    )
    return request, (options.stream_options or {}).get("include_usage") is True


def _refuse_what_cannot_be(options: Options, fields: dict[str, Any]) -> None:
    """An answer that is read, masked and cited has one text, and that text is not the tokens the model gave."""
    if options.n not in (None, 1):
        raise unsupported("/n", "a persona gives one answer; leave it out or send 1")
    if options.logprobs or options.top_logprobs:
        raise unsupported(
            "/logprobs" if options.logprobs else "/top_logprobs",
            "the text of a persona's answer is not the model's own tokens; leave it out",
        )
    if set(options.modalities or ()) - {"text"}:
        raise unsupported("/modalities", 'a persona answers in text; leave it out or send ["text"]')
    for name, instead in _NEVER.items():
        if fields.get(name) is not None:
            raise unsupported(f"/{name}", instead)
