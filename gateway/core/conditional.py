"""Writes that hold only for the version their caller read."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Header

from gateway.core.errors import BadRequest, FieldProblem

# For an operation's signature, so that the document shows the header; ``version_of`` reads it.
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^(W/)?"?(\*|[0-9]{1,9})"?$',
        description="The version that was read, in quotes, as `ETag` had it: 409 when there is another by now.",
    ),
]


def if_match(request: HttpRequest) -> int | None:
    """The version an ``If-Match`` header names; ``*`` and no header are no condition. Raises BadRequest."""
    return version_of(request.headers.get("If-Match"))


def version_of(header: str | None) -> int | None:
    """As ``if_match``, of the header itself."""
    text = (header if header is not None else "*").strip().removeprefix("W/").strip('"')
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        problem = FieldProblem("#/header/If-Match", "not_a_version", "must be a version number in quotes")
        raise BadRequest("If-Match must be a version number in quotes.", problems=(problem,))
    return int(text)
