"""JSON schemas as Anthropic's structured output accepts them: every object closed, and no bounds on values.

A bound that is left out of the grammar is told to the model in the description, so that it still aims for it.
"""

from __future__ import annotations

from typing import Any

_BOUNDS = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties", "contains", "minContains", "maxContains",
    }
)  # fmt: skip
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")


def accepted_schema(schema: Any) -> Any:
    """The schema without what would be refused."""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    bounds: list[str] = []
    for name, value in schema.items():
        if name in _BOUNDS or (name == "minItems" and value not in (0, 1)):
            bounds.append(f"{name}: {value}")
        elif name in _MAPS and isinstance(value, dict):
            made[name] = {key: accepted_schema(inner) for key, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            made["anyOf" if name == "oneOf" else name] = [accepted_schema(inner) for inner in value]
        elif name in ("items", "not"):
            made[name] = accepted_schema(value)
        else:
            made[name] = value
    if made.get("type") == "object" or "properties" in made:
        made["additionalProperties"] = False
    if bounds:
        made["description"] = "\n".join(part for part in (made.get("description"), f"({'; '.join(bounds)})") if part)
    return made
