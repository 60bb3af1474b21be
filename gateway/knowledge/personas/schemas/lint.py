"""Shapes of lint: what was found, and the rules themselves."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.knowledge.personas.formats import Format, format_of
from gateway.knowledge.personas.lint import Verdict
from gateway.knowledge.personas.lint_catalogue import Rule
from gateway.knowledge.personas.types import Finding, Severity


class FindingOut(Schema):
    """What a lint rule found. ``error`` blocks publishing, ``warning`` is probably not meant, ``advice`` could be
    better."""

    pointer: str
    rule: str
    severity: Severity
    message: str
    fix: str

    @classmethod
    def of(cls, finding: Finding) -> FindingOut:
        return cls(
            pointer=f"#/cartridge{finding.pointer}", rule=finding.rule, severity=finding.severity,
            message=finding.message, fix=finding.fix,
        )  # fmt: skip


class LintPersonaIn(Schema):
    """A cartridge to look at. Nothing is kept."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] = Field(description="A Cartridge document, finished or not.")
    format: Format | None = Field(None, description="Check against exactly this format; otherwise both will do.")


class LintOut(Schema):
    """``publishable`` says that there is no error; ``format`` is the lowest format that has all the document's keys.
    ``findings`` are 200 at most, errors first; ``more_findings`` were found beside them."""

    publishable: bool
    format: Format
    errors: int
    warnings: int
    advice: int
    findings: list[FindingOut]
    more_findings: int

    @classmethod
    def of(cls, raw: dict[str, Any], verdict: Verdict) -> LintOut:
        counts = verdict.counts
        return cls(
            publishable=verdict.publishable, format=format_of(raw), errors=counts["error"], warnings=counts["warning"],
            advice=counts["advice"], findings=[FindingOut.of(one) for one in verdict.findings],
            more_findings=verdict.more,
        )  # fmt: skip


class LintRuleOut(Schema):
    """One rule: ``what`` it wants of a cartridge, and how to ``fix`` what it finds."""

    id: str
    severity: Severity
    what: str
    fix: str

    @classmethod
    def of(cls, rule: Rule) -> LintRuleOut:
        return cls(id=rule.id, severity=rule.severity, what=rule.what, fix=rule.fix)


class LintRulesOut(Schema):
    data: list[LintRuleOut]
