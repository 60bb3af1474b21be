"""Messages that were asked for in Anthropic's own shape: the bytes go through, the usage is noted."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.platform.providers import hosted
from gateway.platform.providers.anthropic_wire.answer import Counts, Event, Message
from gateway.platform.providers.filters import EventFilter
from gateway.platform.providers.messages_shape import BETA, VERSION, VERSIONS
from gateway.platform.providers.reading import wrong
from gateway.platform.providers.refusals import Refusals
from gateway.platform.providers.sse import data_of
from gateway.platform.providers.types import TokenUsage

_KEPT = ("container", "mcp_servers")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_LOOK_AT = (b"error", b"message_start", b"message_delta", b"message_stop")
_QUIET = ("message_start", "ping")
_raw, _encode = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Encoder().encode
_message, _event = msgspec.json.Decoder(Message), msgspec.json.Decoder(Event)


def splice(body: bytes, *, model: str, shared: bool) -> tuple[bytes, dict[str, str]]:
    """(the caller's body with ``model`` put in, the headers that stood in it). Every other value keeps its bytes.
    Raises BadRequest for what a ``shared`` credential is not for.
    """
    fields = _raw.decode(body)
    fields["model"] = msgspec.Raw(_encode(model))
    version: Any = msgspec.json.decode(fields.pop(VERSION, msgspec.Raw(b"null")))
    betas: Any = msgspec.json.decode(fields.pop(BETA, msgspec.Raw(b"[]")))
    if not isinstance(betas, list) or not all(isinstance(beta, str) and _WORD.match(beta) for beta in betas):
        raise wrong(BETA, "must be a list of names")
    if shared:
        hosted.refuse_keys(fields, _KEPT)
        hosted.refuse_tools(fields.get("tools"))
    headers = {"anthropic-beta": ",".join(betas)} if betas else {}
    return _encode(fields), headers | ({"anthropic-version": version} if version in VERSIONS else {})


def usage_of(refusals: Refusals, body: bytes) -> TokenUsage | None:
    """The usage of a buffered message. Raises UpstreamError for an error and for anything that is no message."""
    try:
        message = _message.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if message.error is not None:
        raise refusals.inside(message.error)
    if message.content is None:
        raise refusals.no_answer()
    counts = Counts()
    counts.take(message.usage)
    return counts.tokens()


def counted(refusals: Refusals, body: bytes) -> bytes:
    """The answer of count_tokens as it is. Raises UpstreamBroken for anything else."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise refusals.no_answer() from None
    if not isinstance(value, dict) or not isinstance(value.get("input_tokens"), int):
        raise refusals.no_answer()
    return body


class MessageFilter(EventFilter):
    """The events of one message."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__(refusals)
        self._counts = Counts()
        self._finished = False

    @property
    def usage(self) -> TokenUsage | None:
        # What the first event says of the output is where it begins, not what it came to.
        return self._counts.tokens() if self._finished else None

    def _passed(self, event: bytes) -> bytes:
        if self.spoke and not any(word in event for word in _LOOK_AT):
            return event
        data = data_of(event)
        if data is None:
            return event
        try:
            found = _event.decode(data)
        except msgspec.DecodeError:
            raise self._refusals.no_answer() from None
        match found.type:
            case "error":
                raise self._refusals.inside(found.error)
            case "":
                raise self._refusals.inside(found.error) if found.error is not None else self._refusals.no_answer()
            case "message_start":
                self._counts.take(found.message.usage if found.message else None)
            case "message_delta":
                self._counts.take(found.usage)
                self._finished = self._finished or (found.delta is not None and found.delta.stop_reason is not None)
            case "message_stop":
                if not self._finished:
                    raise self._refusals.broke_off()
                self.done = True
        self.spoke = self.spoke or found.type not in _QUIET
        return event
