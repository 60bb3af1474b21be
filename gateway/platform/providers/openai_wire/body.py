"""Request bodies: built from a ModelRequest, or the caller's own with two fields changed and the rest left as it is."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.core.errors import BadRequest
from gateway.platform.providers.types import ModelRequest

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def build(request: ModelRequest) -> bytes:
    """The body of a chat completion. ``metadata`` is the caller's own bookkeeping with us and stays here."""
    body: dict[str, Any] = {
        key: value for key, value in request.params.items() if value is not None and key != "metadata"
    }
    body["model"] = request.model
    body["messages"] = request.messages
    if request.tools:
        body["tools"] = request.tools
        if request.tool_choice is not None:
            body["tool_choice"] = request.tool_choice
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return _ENCODER.encode(body)


def splice(body: bytes, *, model: str, stream: bool) -> tuple[bytes, bool]:
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
    asked = False
    if stream:
        options = _options(fields.get("stream_options"))
        asked = options.get("include_usage") is True
        fields["stream_options"] = msgspec.Raw(_ENCODER.encode({**options, "include_usage": True}))
    return _ENCODER.encode(fields), asked


def _options(raw: msgspec.Raw | None) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw is not None else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest("stream_options must be an object.")
    return value
