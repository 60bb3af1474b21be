"""Whether a cartridge may be published: its JSON Schema first, then the rules that a schema cannot say. Pure."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gateway.knowledge.personas.formats import SCHEMAS, Format
from gateway.knowledge.personas.lint_catalogue import RULES, schema_fix
from gateway.knowledge.personas.lint_rules import CHECKS, MAX_DOCUMENT_CHARACTERS, unstorable
from gateway.knowledge.personas.types import SEVERITIES, Finding, pointer

SCHEMA: dict[str, Any] = SCHEMAS["1.2"]
_VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}

__all__ = ["MAX_DOCUMENT_CHARACTERS", "RULES", "SCHEMA", "SCHEMAS", "breaks_schema", "check", "errors", "storable"]


def check(raw: Any, *, form: Format = "1.2", persona_id: str | None = None) -> list[Finding]:
    """Everything found: errors, warnings, advice. Lint rules run only on a document that its schema accepts. 1.2 takes
    every 1.1 document; with ``persona_id`` the document must be of that persona."""
    found = [_finding(error) for error in sorted(_VALIDATORS[form].iter_errors(raw), key=_place)]
    if not found:
        found = [finding for check_one in CHECKS for finding in check_one(raw)]
    if persona_id is not None and isinstance(raw, dict) and raw.get("id") != persona_id:
        found.append(RULES["id-matches"].at("/id", f"must be {persona_id!r}, the persona being published"))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def errors(findings: list[Finding]) -> list[Finding]:
    """Those that block publishing."""
    return [finding for finding in findings if finding.severity == "error"]


def storable(raw: dict[str, Any]) -> list[Finding]:
    """What even a draft must not hold, because no store takes it."""
    return list(unstorable(raw))


def breaks_schema(raw: Any) -> bool:
    """Whether the document is no cartridge at all, so that nothing can be made of it."""
    return not _VALIDATORS["1.2"].is_valid(raw)


def _place(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path)


def _finding(error: ValidationError) -> Finding:
    """The schema's keyword is the rule. Long instances are not repeated in the message."""
    message = error.message if len(error.message) <= 200 else f"{error.message[:100]}…{error.message[-80:]}"
    keyword, expected = str(error.validator), error.validator_value
    return RULES[f"schema.{keyword}"].at(pointer(error.absolute_path), message, schema_fix(keyword, expected))
