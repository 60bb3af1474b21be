"""Whether a cartridge may be published: its JSON Schema, and the rules that a schema cannot say. Pure, and too long for
the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.knowledge.personas import lint_bounds, lint_schema
from gateway.knowledge.personas.formats import SCHEMAS, Format
from gateway.knowledge.personas.lint_bounds import MAX_DOCUMENT_CHARACTERS
from gateway.knowledge.personas.lint_catalogue import RULES
from gateway.knowledge.personas.lint_rules import CHECKS
from gateway.knowledge.personas.types import SEVERITIES, Finding, Severity

SCHEMA: dict[str, Any] = SCHEMAS["1.2"]
breaks_schema = lint_schema.breaks
# How many findings an answer lists; the others are only counted.
MAX_LISTED = 200

__all__ = [
    "MAX_DOCUMENT_CHARACTERS", "MAX_LISTED", "RULES", "SCHEMA", "SCHEMAS", "Verdict", "breaks_schema", "check",
    "errors", "look",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What lint says, for an answer: the first ``MAX_LISTED`` findings, errors first, and how many there are of each
    severity."""

    findings: tuple[Finding, ...]
    counts: dict[Severity, int]

    @property
    def more(self) -> int:
        """How many findings are not listed."""
        return sum(self.counts.values()) - len(self.findings)

    @property
    def publishable(self) -> bool:
        return self.counts["error"] == 0


def look(raw: Any, *, form: Format = "1.2", persona_id: str | None = None) -> Verdict:
    """``check``, cut short for an answer."""
    found = check(raw, form=form, persona_id=persona_id)
    counts = {name: sum(one.severity == name for one in found) for name in SEVERITIES}
    return Verdict(tuple(found[:MAX_LISTED]), counts)


def check(raw: Any, *, form: Format = "1.2", persona_id: str | None = None) -> list[Finding]:
    """Everything found, errors first, then warnings, then advice. A document beyond all bounds is told that alone;
    otherwise every rule is looked at in whatever of the document is as the schema wants it. 1.2 takes every 1.1
    document; with ``persona_id`` the document must be of that persona."""
    if (beyond := lint_bounds.beyond(raw)) is not None:
        return [beyond]
    found = lint_schema.findings(raw, form)
    if isinstance(raw, dict):
        found += (finding for check_one in CHECKS for finding in check_one(raw))
        if persona_id is not None and isinstance(given := raw.get("id"), str) and given != persona_id:
            found.append(RULES["id-matches"].at("/id", f"must be {persona_id!r}, the persona being published"))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """Those that block publishing."""
    return [finding for finding in findings if finding.severity == "error"]
