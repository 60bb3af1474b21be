"""Where a document breaks its schema: one finding for each field that is missing, unknown or wrong, at its own place
and in words of our own. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from gateway.knowledge.personas.formats import SCHEMAS, Format
from gateway.knowledge.personas.lint_catalogue import RULES, schema_fix
from gateway.knowledge.personas.types import Finding, pointer

_TYPES = {
    "object": "an object", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false",
}  # fmt: skip
_SEEN = ((type(None), "null"), (bool, "true or false"), (str, "text"), (dict, "an object"), (list, "a list"))
# What is said of a value (second) that breaks a keyword with this operand (first).
SAID: dict[str, Callable[[Any, Any], str]] = {
    "type": lambda wanted, value: f"must be {_TYPES[wanted]}, not {_seen(value)}",
    "enum": lambda wanted, value: f"must be one of {', '.join(map(str, wanted))}",
    "minLength": lambda least, value: "must not be empty",
    "maxLength": lambda most, value: f"has {len(value)} characters, at most {most}",
    "minimum": lambda least, value: f"must be at least {least}",
    "maximum": lambda most, value: f"must be at most {most}",
    "minItems": lambda least, value: "must not be empty",
    "maxItems": lambda most, value: f"has {len(value)} entries, at most {most}",
    "uniqueItems": lambda wanted, value: "has an entry twice",
    "minProperties": lambda least, value: "must not be empty",
}


def findings(raw: Any, form: Format) -> list[Finding]:
    """Everything that breaks the schema of a format, in the order of the places."""
    found: list[Finding] = []
    told: set[tuple[str, str]] = set()
    for error in _VALIDATORS[form].iter_errors(raw):
        keyword, place = str(error.validator), pointer(error.absolute_path)
        # The validator has an error for each missing field, and each of them names them all.
        if (keyword, place) not in told:
            told.add((keyword, place))
            fix = schema_fix(keyword, error.validator_value)
            found += (RULES[f"schema.{keyword}"].at(place + at, said, fix) for at, said in _said(keyword, error))
    return sorted(found, key=lambda finding: finding.pointer)


def breaks(raw: Any) -> bool:
    """Whether the document is no cartridge at all, so that nothing can be made of it."""
    return not _VALIDATORS["1.2"].is_valid(raw)


def _said(keyword: str, error: ValidationError) -> Iterator[tuple[str, str]]:
    """What to say, and how far below the error's place."""
    wanted: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    if keyword == "required":
        yield from ((pointer([name]), "is missing") for name in wanted if name not in value)
    elif keyword == "additionalProperties":
        known, patterns = schema["properties"], schema.get("patternProperties", ())
        for name in value:
            if name not in known and not any(re.search(pattern, name) for pattern in patterns):
                yield pointer([name]), "is no field that this format knows here"
    else:
        yield "", SAID[keyword](wanted, value)


def _seen(value: Any) -> str:
    return next((name for kind, name in _SEEN if isinstance(value, kind)), f"the number {value}")


def _unique(_: Any, wanted: bool, value: Any, __: Any) -> Iterator[ValidationError]:
    """The library compares each with each where entries are of several types: somebody else chooses how many."""
    if wanted and isinstance(value, list) and not _all_different(value):
        yield ValidationError("has an entry twice")


def _all_different(entries: Sequence[Any]) -> bool:
    return len({json.dumps(entry, sort_keys=True) for entry in entries}) == len(entries)


_Validator: Any = extend(Draft202012Validator, {"uniqueItems": _unique})  # type: ignore[no-untyped-call]
_VALIDATORS = {name: _Validator(schema) for name, schema in SCHEMAS.items()}
