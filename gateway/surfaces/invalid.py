"""From the errors of pydantic, which reads what operations are sent, to the problems that a caller is told.

Its places name the members of a union as if they were fields, and it says once for every member what that one would
have taken; both are its own affair. A caller is told the place in what they sent, and there once, all that would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem, GatewayError
from gateway.surfaces.parsing import decoded

_SOURCES = frozenset({"query", "path", "header", "cookie"})
_ITS_OWN = ("Value error, ", "Assertion failed, ")


def of_call(errors: Iterable[Mapping[str, Any]], body: bytes) -> BadRequest:
    """The refusal for Ninja's errors, whose places begin with the source and its parameter: ``("body", "body",
    "messages", 0)``."""
    return _refusal(errors, _json(body), sources=True)


def of_body(errors: Iterable[Mapping[str, Any]], sent: Any, *, detail: str | None = None) -> BadRequest:
    """The refusal for errors in one value that was sent. ``detail`` stands in for the first problem."""
    return _refusal(errors, sent, sources=False, detail=detail)


def _refusal(errors: Iterable[Mapping[str, Any]], sent: Any, *, sources: bool, detail: str | None = None) -> BadRequest:
    found: dict[tuple[str, int], FieldProblem] = {}
    for number, one in enumerate(errors):
        source, way = (one["loc"][0], one["loc"][1:]) if sources else ("body", ("", *one["loc"]))
        in_union = False
        if source in _SOURCES:
            way = (source, *way)
        else:
            way = way[1:]
            if sent is not None:
                way, in_union = _way(way, sent, missing=one["type"] == "missing")
        pointer = "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in way)
        # What the members of one union say is one problem; other errors stand for themselves.
        key = (pointer, 0 if in_union else number + 1)
        found[key] = _with(found.get(key), FieldProblem(pointer, one["type"], _said(one["msg"])))
    problems = tuple(found.values())
    place = problems[0].pointer.removeprefix("#").removeprefix("/") or "body"
    return BadRequest(detail or f"{place}: {problems[0].message}", problems=problems)


def _way(parts: tuple[Any, ...], sent: Any, *, missing: bool) -> tuple[tuple[Any, ...], bool]:
    """(the steps that lead somewhere in what was sent, whether there are others). Of what is missing, the last is a
    step that should lead somewhere."""
    way: list[Any] = []
    for at, part in enumerate(parts):
        if _leads(part, sent):
            way.append(part)
            sent = sent[part]
        elif missing and at == len(parts) - 1:
            way.append(part)
    return tuple(way), len(way) < len(parts)


def _leads(part: Any, sent: Any) -> bool:
    if isinstance(sent, list):
        return isinstance(part, int) and 0 <= part < len(sent)
    return isinstance(sent, dict) and part in sent


def _with(before: FieldProblem | None, problem: FieldProblem) -> FieldProblem:
    if before is None or problem.message in before.message:
        return before or problem
    return FieldProblem(before.pointer, before.code, f"{before.message}, or {problem.message}")


def _said(message: str) -> str:
    for prefix in _ITS_OWN:
        message = message.removeprefix(prefix)
    return message


def _json(body: bytes) -> Any:
    """What was sent; None for a body that is no JSON, in which no place can be looked up."""
    try:
        return decoded(body)
    except GatewayError:
        return None
