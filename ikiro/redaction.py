"""What may stand in a log line: no key, token or password of anybody, and of an exception no value that it was about.

The last wall, not the first: nothing is logged on purpose that this would have to take out.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Any

GONE = "[redacted]"
_SECRET_NAMES = re.compile(
    r"(?i)(authorization|cookie|password|passwd|secret|api[-_]?key|x-api-key|session[-_]?token|access[-_]?token"
    r"|refresh[-_]?token|csrf|credential)"
)
# By their looks: our API keys, what vendors' keys begin with, signed tokens, whatever an Authorization header holds,
# and the user information of an address.
_SHAPES = re.compile(
    r"""(?x)
      ik_(?:live|test)_[0-9A-Za-z]+_[0-9A-Za-z]+
    | \b(?:sk|pk|rk|gsk|xai|hf|AIza|ghp|glpat)[-_][0-9A-Za-z_-]{8,}
    | \beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*)?
    | (?i:\b(?:bearer|basic)\s+)[0-9A-Za-z._~+/=:-]{6,}
    | (?<=://)[^/\s:@'"]+:[^/\s@'"]+(?=@)
    """
)
_QUOTED = re.compile(r"""(['"`])((?:(?!\1).)*)\1""", re.S)
_NAME = re.compile(r"[A-Za-z_][\w.]{0,40}", re.A)
_LONGEST = 200


def redact(text: str) -> str:
    """The text without anything that looks like a secret."""
    return _SHAPES.sub(GONE, text)


def scrub(event: MutableMapping[str, Any]) -> None:
    """Empty every field whose name says that it holds a secret, at any depth."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = GONE
        elif isinstance(value, dict):
            event[name] = inner = dict(value)
            scrub(inner)


def exception_text(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> str:
    """A traceback of places and our own lines of code. Of each message only its first line is told, and of what is
    quoted there only plain names: ``invalid input: 'what somebody wrote'`` becomes ``invalid input: '…'``."""
    if error is None:
        return ""
    return redact("\n".join(_chain(error, trace, set())))


def _chain(error: BaseException, trace: TracebackType | None, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _chain(before, before.__traceback__, seen)
        yield "which led to"
    for frame in traceback.extract_tb(trace or error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"    {frame.line}"
    yield f"{type(error).__module__}.{type(error).__qualname__}: {message(error)}"
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield "one of them"
            yield from _chain(inner, inner.__traceback__, seen)


def message(error: BaseException) -> str:
    """What an exception says, without the values that it says it about."""
    try:
        lines = str(error).splitlines()
    except Exception:  # noqa: BLE001 - somebody else's __str__ must not cost the whole line
        return "(it cannot be printed)"
    first = lines[0] if lines else ""
    return redact(_QUOTED.sub(_quoted, first)[:_LONGEST])


def _quoted(found: re.Match[str]) -> str:
    mark, inside = found.groups()
    return f"{mark}{inside if _NAME.fullmatch(inside) else '…'}{mark}"


class PlainFormatter(logging.Formatter):
    """The standard library's lines, without what looks like a secret and without the values of exceptions."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return exception_text(*ei)
