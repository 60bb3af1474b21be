"""The Responses API of a provider that speaks it: its bytes go through, its usage is noted."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers import hosted
from gateway.platform.providers.filters import EventFilter
from gateway.platform.providers.reading import unsupported
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.sse import data_of
from gateway.platform.providers.types import TokenUsage

_STORED = ("previous_response_id", "conversation", "prompt", "background")
_QUIET = ("response.created", "response.in_progress", "response.queued")
_LOOK_AT = tuple(f"response.{word}".encode() for word in ("completed", "incomplete", "failed", "cancelled"))
_LOOK_AT += (b"error", b"[DONE]")
_FALSE = msgspec.Raw(b"false")


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None

    def tokens(self) -> TokenUsage:
        cached = self.input_tokens_details.cached_tokens if self.input_tokens_details else None
        return TokenUsage(self.input_tokens or 0, self.output_tokens or 0, cached or 0)


class _Response(msgspec.Struct):
    object: str | None = None
    status: str | None = None
    output: Any = None
    usage: _Usage | None = None
    error: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    error: Any = None
    message: str | None = None
    code: str | None = None


_response, _event = msgspec.json.Decoder(_Response), msgspec.json.Decoder(_Event)
_raw, _encode = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Encoder().encode


def splice(body: bytes, *, model: str, shared: bool) -> bytes:
    """The caller's body with ``model`` put in; every other value keeps its bytes. On a ``shared`` credential nothing is
    stored at the provider and nothing that was is reached. Raises BadRequest.
    """
    fields = _raw.decode(body)
    fields["model"] = msgspec.Raw(_encode(model))
    if shared:
        hosted.refuse_keys(fields, _STORED)
        hosted.refuse_tools(fields.get("tools"))
        if b'"item_reference"' in bytes(fields.get("input", b"")):
            raise unsupported("input", "item_reference needs a stored answer, and none is stored; send the item itself")
        fields["store"] = _FALSE
    return _encode(fields)


def usage_of(refusals: Refusals, body: bytes) -> TokenUsage | None:
    """The usage of a buffered response. Raises UpstreamError for a failed one and for anything that is no response."""
    try:
        response = _response.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if response.error is not None:
        raise refusals.inside(response.error)
    if response.output is None:
        raise refusals.no_answer()
    return response.usage.tokens() if response.usage else None


class ResponseFilter(EventFilter):
    """The events of one response."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__(refusals)
        self._usage: TokenUsage | None = None

    @property
    def usage(self) -> TokenUsage | None:
        return self._usage

    def _passed(self, event: bytes) -> bytes:
        if self.spoke and not any(word in event for word in _LOOK_AT):
            return event
        data = data_of(event)
        if data is None:
            return event
        if data.strip() == b"[DONE]":
            return b""  # of the other dialect; the last event has said it
        try:
            found = _event.decode(data)
        except msgspec.DecodeError:
            raise self._refusals.no_answer() from None
        if found.type == "error" or (found.error is not None and not found.type):
            raise self._refusals.inside(found.error or {"message": found.message, "code": found.code})
        if found.response is not None and found.response.usage is not None:
            self._usage = found.response.usage.tokens()
        if found.type in ("response.failed", "response.cancelled"):
            said = found.response.error if found.response else None
            raise self._refusals.inside(said or {"message": "it gave up"})
        if not found.type.startswith("response."):
            raise self._refusals.no_answer()
        self.spoke = self.spoke or found.type not in _QUIET
        self.done = found.type in ("response.completed", "response.incomplete")
        return event
