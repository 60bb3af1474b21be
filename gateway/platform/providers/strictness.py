"""Whether a JSON schema may be enforced to the letter by OpenAI: every object closed, and all of its keys required."""

from __future__ import annotations

from typing import Any


def is_strict(schema: Any) -> bool:
    """True for a schema that OpenAI takes with ``strict: true``; others it follows as well as it can."""
    if isinstance(schema, list):
        return all(is_strict(one) for one in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if schema.get("additionalProperties") is not False:
            return False
        if set(properties or ()) != set(schema.get("required") or ()):
            return False
    inner = [*(properties or {}).values(), *(schema.get("$defs") or {}).values()]
    inner += [schema.get(name) for name in ("items", "anyOf", "allOf", "oneOf", "prefixItems")]
    return all(is_strict(one) for one in inner)
