"""Request bodies: built from a ModelRequest, or the caller's own with a few fields changed and the rest left as it
is.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.errors import BadRequest
from gateway.platform.providers.openai_wire.flavours import Flavour
from gateway.platform.providers.types import ModelRequest

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MESSAGES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_ENCODER = msgspec.json.Encoder()
_OLD, _NEW = "max_tokens", "max_completion_tokens"
_MODEL, _VALUE = b'"model"', re.compile(rb'\s*:\s*"[^"\\]*"')


def build(request: ModelRequest, flavour: Flavour) -> bytes:
    """The body of a chat completion. ``metadata`` is the caller's own bookkeeping with us and stays here."""
    body: dict[str, Any] = {
        key: value for key, value in request.params.items() if value is not None and key != "metadata"
    }
    _name_the_limit(body, flavour)
    body["model"] = request.model
    body["messages"] = request.messages if flavour.modern else [_plain_role(message) for message in request.messages]
    if request.tools:
        body["tools"] = request.tools
        if request.tool_choice is not None:
            body["tool_choice"] = request.tool_choice
    if request.stream:
        body["stream"] = True
        if flavour.stream_options:
            body["stream_options"] = {"include_usage": True}
        else:
            body.pop("stream_options", None)
    return _ENCODER.encode(body)


def with_model(body: bytes, model: bytes) -> bytes | None:
    """The body of a buffered completion with ``model`` (as JSON) put in, where nothing else has to be changed and there
    is no doubt about where it stands; None otherwise, for ``splice``."""
    if body.count(_MODEL) != 1 or b'"max_' in body or b'"developer"' in body or b"\\u006" in body:
        return None  # more is to be changed, or the key may be written in another way as well (\\u006d is an m)
    before, _, after = body.partition(_MODEL)
    found = _VALUE.match(after)
    return None if found is None else b"%b%b:%b%b" % (before, _MODEL, model, after[found.end() :])


def splice(body: bytes, *, model: str, stream: bool, flavour: Flavour) -> tuple[bytes, bool]:
    """(the caller's body with ``model`` put in and the usage of a stream asked for, whether the caller had asked for
    it).

    Only the top level is taken apart; every value keeps its bytes. Raises BadRequest when the body is not a JSON
    object.
    """
    try:
        fields = _RAW.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequest(f"The body is not a JSON object: {error}.", status=400) from None
    fields["model"] = msgspec.Raw(_ENCODER.encode(model))
    for name in (_OLD, _NEW):
        if name in fields and bytes(fields[name]) == b"null":
            del fields[name]
    _name_the_limit(fields, flavour)
    if not flavour.modern and b'"developer"' in body and "messages" in fields:
        fields["messages"] = _plain_roles(fields["messages"])
    asked = False
    if stream:
        options = _options(fields.pop("stream_options", None))
        asked = options.get("include_usage") is True
        if flavour.stream_options:
            fields["stream_options"] = msgspec.Raw(_ENCODER.encode({**options, "include_usage": True}))
    return _ENCODER.encode(fields), asked


def _name_the_limit(body: dict[str, Any], flavour: Flavour) -> None:
    """The limit of the answer's length under the name that the server knows; whoever gave both is taken at that
    name's.
    """
    known, other = (_NEW, _OLD) if flavour.modern else (_OLD, _NEW)
    if other in body:
        limit = body.pop(other)
        body.setdefault(known, limit)


def _plain_role(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "role": "system"} if message.get("role") == "developer" else message


def _plain_roles(raw: msgspec.Raw) -> msgspec.Raw:
    try:
        messages = _MESSAGES.decode(raw)
    except msgspec.DecodeError:
        return raw  # the provider says what is wrong with them
    for message in messages:
        if "role" in message and bytes(message["role"]) == b'"developer"':
            message["role"] = msgspec.Raw(b'"system"')
    return msgspec.Raw(_ENCODER.encode(messages))


def _options(raw: msgspec.Raw | None) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw is not None else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest("stream_options must be an object.")
    return value
