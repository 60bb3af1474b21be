"""From a body that a provider's reader has understood, and an address, to the one chat engine's request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.engine.chat.types import MAX_MESSAGES, ChatRequest
from gateway.platform.providers.reading import Fields, wrong
from gateway.platform.providers.types import ModelRequest
from gateway.surfaces.openai.address import Address
from gateway.surfaces.openai.envelope import OURS, invalid
from gateway.surfaces.parsing import decoded, refuse_nul


def fields_of(body: bytes, options: type[msgspec.Struct], without: Iterable[str]) -> tuple[Fields, list[str]]:
    """(the body without our keys and without those that a persona's turn leaves out, the names of the latter). Raises
    BadRequest naming the first field that is not as ``options`` has it."""
    fields = decoded(body)
    if b"\\u0000" in body:
        refuse_nul(fields)
    try:
        msgspec.convert(fields, options)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    left = [name for name in without if fields.get(name) is not None]
    return {name: value for name, value in fields.items() if name not in OURS and name not in left}, left


def chat_request(read: ModelRequest, address: Address, *, body_bytes: int, max_tokens: int | None) -> ChatRequest:
    """The turn. Raises BadRequest for more messages than a turn may have."""
    if len(read.messages) > MAX_MESSAGES:
        raise wrong("messages", f"must be no more than {MAX_MESSAGES} messages")
    params: dict[str, Any] = dict(read.params)
    return ChatRequest(
        model=read.model,
        persona_id=address.persona_id,
        subject_id=address.subject_id,
        messages=read.messages,
        memory_scopes=address.memory_scopes,
        redact_mode=address.redact_mode,
        stream=read.stream,
        conversation_id=address.conversation_id,
        persona_version=address.persona_version,
        mode=address.persona_mode,
        max_tokens=max_tokens,
        tools=read.tools,
        tool_choice=read.tool_choice,
        params=params,
        body_bytes=body_bytes,
    )
