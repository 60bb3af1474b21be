"""A kept request read again by the readers of the dialect that it was sent in, for who decides it once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic import ValidationError

from gateway.core.errors import BadRequest
from gateway.engine.chat.guarding import read as read_texts
from gateway.engine.chat.messages import accepted
from gateway.engine.chat.pipeline import needs_of
from gateway.engine.chat.types import ChatRequest
from gateway.engine.evaluation.inputs import Asked
from gateway.engine.routing import Passing, tiers
from gateway.platform.providers.types import Shape
from gateway.platform.requests.types import KeptInput
from gateway.surfaces.anthropic import envelope as anthropic
from gateway.surfaces.anthropic import headers, messages
from gateway.surfaces.openai import envelope, responses, turn
from gateway.surfaces.openai.address import addressed
from gateway.surfaces.v1 import chat
from gateway.surfaces.v1.schemas.chat import ChatIn

_Meta = Mapping[str, str]


def read(kept: KeptInput) -> Asked | None:
    """What the request asks for; None where its body is no request of its path any more."""
    reader = _READERS.get(kept.path)
    try:
        return reader(kept.text.encode(), _meta(kept.headers)) if reader is not None else None
    except (BadRequest, ValidationError):
        return None


def _native(body: bytes, _: _Meta) -> Asked:
    return _turn(chat.translate(ChatIn.model_validate_json(body), len(body)))


def _completion(body: bytes, meta: _Meta) -> Asked:
    read = envelope.read(body)
    if (address := addressed(meta, read)) is not None:
        return _turn(turn.chat_request(body, read, address)[0])
    return _passing(read.model, body, Shape.CHAT)


def _response(body: bytes, meta: _Meta) -> Asked:
    read = envelope.read_response(body)
    if (address := addressed(meta, read)) is not None:
        return _turn(responses.turn_of(body, read, address)[2])
    return _passing(read.model, body, Shape.RESPONSES)


def _message(body: bytes, meta: _Meta) -> Asked:
    version, read = headers.version_of(meta), anthropic.read(body)
    if (address := addressed(meta, read)) is not None:
        return _turn(messages.turn_of(body, read, address, version)[2])
    return _passing(read.model, body, Shape.MESSAGES)


def _embedding(body: bytes, _: _Meta) -> Asked:
    return _passing(envelope.read_embedding(body).model, body, Shape.EMBEDDINGS)


_READERS: dict[str, Callable[[bytes, _Meta], Asked]] = {
    "/v1/chat": _native,
    "/v1/chat/completions": _completion,
    "/v1/responses": _response,
    "/v1/messages": _message,
    "/v1/embeddings": _embedding,
}


def _turn(request: ChatRequest) -> Asked:
    texts, names = read_texts(replace(request, messages=accepted(request.messages)))
    return Asked(
        model=request.model,
        needs=needs_of(request),
        texts=tuple(texts),
        names=tuple(names),
        tools=tuple(tool["function"]["name"] for tool in request.tools),
        redact_mode=request.redact_mode,
        memory_scopes=request.memory_scopes,
        max_tokens=request.max_tokens,
        conversation_id=request.conversation_id,
    )


def _passing(model: str, body: bytes, shape: Shape) -> Asked:
    needs = tiers.needs_of(body) if model == tiers.AUTO else frozenset[str]()
    return Asked(model=model, needs=needs, passing=Passing(body, shape))


def _meta(given: Mapping[str, str]) -> dict[str, str]:
    """The headers as a server hands them on."""
    return {f"HTTP_{name.upper().replace('-', '_')}": value.encode().decode("latin-1") for name, value in given.items()}
