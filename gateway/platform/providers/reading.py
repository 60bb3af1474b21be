"""What the readers of all dialects share: a body as an object, its fields by type, and refusals that name the place."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from gateway.core.errors import BadRequest, FieldProblem

T = TypeVar("T")
Fields = dict[str, Any]
_SAID = {"str": "text", "dict": "an object", "list": "a list", "int": "a whole number"}


def decoded(body: bytes) -> Fields:
    """The body's top level. Raises BadRequest ``malformed_json``."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a JSON object: {error}.", code="malformed_json", status=400) from None


def wrong(place: str, message: str) -> BadRequest:
    """The refusal of a field; ``place`` is written ``messages.0.role``."""
    problem = FieldProblem(f"#/{place.replace('.', '/')}", "invalid", message)
    return BadRequest(f"{place}: {message}.", problems=(problem,))


def unsupported(place: str, message: str) -> BadRequest:
    """The refusal of what is well formed and yet has no counterpart at the model that was asked for."""
    problem = FieldProblem(f"#/{place.replace('.', '/')}", "unsupported_parameter", message)
    return BadRequest(f"{place}: {message}.", code="unsupported_parameter", problems=(problem,))


def not_served(provider: str, what: str) -> BadRequest:
    """The refusal of a whole kind of call that a provider has nothing for."""
    return BadRequest(f"{provider} serves no {what}; ask another model.", code="shape_not_served", status=400)


def objects(fields: Fields, name: str) -> list[Fields]:
    """A list of objects under ``name``; empty when it is absent or null. Raises BadRequest."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise wrong(name, "must be a list of objects")
    return value


def typed(fields: Fields, name: str, kind: type[T], place: str) -> T:
    """A field that must be there and be of ``kind``. Raises BadRequest."""
    value = fields.get(name)
    if not isinstance(value, kind):
        raise wrong(f"{place}.{name}", f"must be {_SAID.get(kind.__name__, kind.__name__)}")
    return value


def joined(parts: list[Fields]) -> str | list[Fields]:
    """One text as plain text, which every server understands; several parts as they are."""
    if len(parts) == 1 and parts[0].get("type") == "text":
        text: str = parts[0]["text"]
        return text
    return parts


def as_text(parts: list[Fields], between: str) -> str | list[Fields]:
    """Parts that are nothing but text as one text; with anything else among them, as they are."""
    if all(part.get("type") == "text" for part in parts):
        return between.join(part["text"] for part in parts)
    return parts
