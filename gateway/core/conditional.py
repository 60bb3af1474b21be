"""Writes that hold only for the version their caller read."""

from __future__ import annotations

from django.http import HttpRequest

from gateway.core.errors import BadRequest, FieldProblem


def expected(request: HttpRequest, given: int | None) -> int | None:
    """The version that a write is to hold for: the one its body names, or its ``If-Match`` header. Raises BadRequest
    for a header that names none, also where the body has the word."""
    tag = if_match(request)
    return given if given is not None else tag


def if_match(request: HttpRequest) -> int | None:
    """The version an ``If-Match`` header names; ``*`` and no header are no condition. Raises BadRequest."""
    text = request.headers.get("If-Match", "*").strip().removeprefix("W/").strip('"')
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        problem = FieldProblem("#/header/If-Match", "not_a_version", "must be a version number in quotes")
        raise BadRequest("If-Match must be a version number in quotes.", problems=(problem,))
    return int(text)
