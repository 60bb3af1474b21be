"""A model's JSON Schema with its references written out, for bodies that OpenAPI cannot name as one component."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The schema without ``$defs``. For models that do not contain themselves."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return {key: _resolved(value, definitions) for key, value in schema.items()}


def _resolved(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get("$ref", "").removeprefix("#/$defs/")
    rest = {key: _resolved(value, definitions) for key, value in node.items() if key != "$ref"}
    return _resolved(definitions[name], definitions) | rest if name else rest
