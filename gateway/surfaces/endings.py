"""How a stream says that it ends before its time: in each dialect by the events that its clients know."""

from __future__ import annotations

import re
from enum import StrEnum
from uuid import UUID

from gateway.core import ids
from gateway.core.endpoint import Call
from gateway.surfaces import problems, sse

_RESPONSES = "/v1/responses"
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d+)')


class Dialect(StrEnum):
    NATIVE = "native"
    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"


def dialect_of(call: Call, path: str) -> Dialect:
    """The dialect of what an operation streams."""
    if call.surface == "openai":
        return Dialect.RESPONSES if path == _RESPONSES else Dialect.CHAT
    return Dialect.MESSAGES if call.surface == "anthropic" else Dialect.NATIVE


def ending(
    dialect: Dialect,
    error: Exception,
    call: Call,
    *,
    path: str,
    last: bytes = b"",
    of: UUID | None = None,
    number: int | None = None,
) -> bytes:
    """The last frames of a stream that fails. ``last`` are the bytes sent before, ``of`` the request whose stream it is
    if it is not the call's own; ``number`` is for native events, which alone have one."""
    if dialect is Dialect.CHAT:
        return sse.frame(problems.openai_error(problems.told(error, call), call))
    if dialect is Dialect.RESPONSES:
        return response_failed(error, call, last, of=of)
    if dialect is Dialect.MESSAGES:
        return message_failed(error, call)
    return native_failed(error, call, path, number=number)


def native_failed(error: Exception, call: Call, path: str, *, number: int | None = None) -> bytes:
    """Our own event ``error``, a problem object."""
    return sse.frame(problems.problem(problems.told(error, call), call, instance=path), event="error", number=number)


def message_failed(error: Exception, call: Call) -> bytes:
    """Anthropic's event ``error``."""
    return sse.frame(problems.anthropic_error(problems.told(error, call), call), event="error")


def response_failed(error: Exception, call: Call, last: bytes, *, of: UUID | None = None) -> bytes:
    """The last frames of a response: it is marked as failed, and the error that clients raise follows. Events are
    numbered on from those in ``last``."""
    said = problems.openai_error(problems.told(error, call), call)["error"]
    found = _NUMBER.findall(last)
    number = int(found[-1]) + 1 if found else 0
    short = {"code": said["code"], "message": said["message"]}
    answer = ids.public("req", of or call.request_id).removeprefix("req_")
    response = {"id": f"resp_{answer}", "object": "response", "status": "failed", "error": short, "output": []}
    failed = {"type": "response.failed", "sequence_number": number, "response": response}
    raised = {"type": "error", "sequence_number": number + 1, **short, "param": said["param"], "error": said}
    return sse.frame(failed, event="response.failed") + sse.frame(raised, event="error")
