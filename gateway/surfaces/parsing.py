"""Request bodies from bytes to values, refusing what JSON has no meaning for and what no store could keep.

The standard library's reader lets ``NaN``, lone surrogates and nesting without end through; each would end as an
internal error somewhere below. NUL characters are legal JSON, but PostgreSQL has no text that holds one.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from django.http import HttpRequest
from ninja.parser import Parser
from ninja.types import DictStrAny

from gateway.core.errors import BadRequest, FieldProblem, NotFound
from gateway.core.nesting import MOST_BODY_LEVELS, is_too_deep

_decode = msgspec.json.Decoder().decode


class StrictParser(Parser):
    """The API's reader of JSON bodies."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        """The body's value. Raises BadRequest ``malformed_json`` (400), or 422 naming the place of a NUL character or
        of what is nested too deep."""
        body = request.body
        value = decoded(body)
        if b"\\u0000" in body:
            refuse_nul(value)
        if body.count(b"[") + body.count(b"{") > MOST_BODY_LEVELS:
            refuse_depth(value)
        return cast("DictStrAny", value)


def refuse_nul_in_address(request: HttpRequest) -> None:
    """Raise NotFound or BadRequest for a path or query with a NUL character: it names nothing that any store holds."""
    if "\0" in request.path:
        raise NotFound("A path has no NUL characters.")
    if "%00" in request.META["QUERY_STRING"]:
        named = next((key for key, values in request.GET.lists() if "\0" in "".join([key, *map(str, values)])), None)
        if named is not None:
            shown = named.replace("\0", "\ufffd")
            problem = FieldProblem(f"#/query/{shown}", "nul_character", "must not contain NUL characters")
            raise BadRequest(f"{shown}: {problem.message}", problems=(problem,))


def decoded(body: bytes) -> Any:
    """The JSON value of ``body``. Raises BadRequest ``malformed_json``."""
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise malformed(str(error)) from None
    except (UnicodeDecodeError, RecursionError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is nested too deeply"
        raise malformed(reason) from None


def refuse_depth(value: Any) -> None:
    """Raise BadRequest naming the field with what is nested too deep."""
    if not is_too_deep(value, MOST_BODY_LEVELS):
        return
    fields = value.items() if isinstance(value, dict) else enumerate(value)
    name = next(name for name, one in fields if is_too_deep(one, MOST_BODY_LEVELS - 1))
    pointer = "#/" + str(name).replace("~", "~0").replace("/", "~1")
    told = f"is nested too deep: a body has at most {MOST_BODY_LEVELS} levels"
    raise BadRequest(f"{name} {told}.", problems=(FieldProblem(pointer, "too_deep", told),))


def malformed(reason: str) -> BadRequest:
    """The refusal of a body that is not JSON."""
    return BadRequest(f"The body is not valid JSON ({reason}).", code="malformed_json", status=400)


def refuse_nul(value: Any) -> None:
    """Raise BadRequest naming the first string, key included, with a NUL character."""
    todo = [("#", value)]
    while todo:
        pointer, found = todo.pop()
        if isinstance(found, str) and "\0" in found:
            problem = FieldProblem(pointer, "nul_character", "must not contain NUL characters")
            raise BadRequest(f"{pointer.removeprefix('#/')}: {problem.message}", problems=(problem,))
        if isinstance(found, list):
            todo += [(f"{pointer}/{index}", item) for index, item in enumerate(found)][::-1]
        elif isinstance(found, dict):
            for key, item in reversed(found.items()):
                shown = key.replace("\0", "\ufffd").replace("~", "~0").replace("/", "~1")
                todo += [(f"{pointer}/{shown}", item), (f"{pointer}/{shown}", key)]
