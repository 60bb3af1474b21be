"""``/v1/personas/lint`` and the rules behind it."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.knowledge.personas import lint
from gateway.knowledge.personas.schemas.lint import LintOut, LintPersonaIn, LintRuleOut, LintRulesOut
from tenants.context import in_tenant

router = Router(tags=["personas"])


@router.post("/personas/lint", response=LintOut, summary="Look a cartridge over")
@endpoint(scope=Scope.PERSONAS_READ, reads=True)
async def lint_persona(request: HttpRequest, body: LintPersonaIn) -> LintOut:
    """Every error, warning and advice, each with its place, its rule and a fix. Nothing is kept."""
    ref, raw = call_of(request).principal.ref, body.cartridge
    return LintOut.of(raw, await in_tenant(ref, lint.look, raw, form=body.format or "1.2"))


@router.get("/personas/lint/rules", response=LintRulesOut, summary="The lint rules")
@endpoint(scope=Scope.PERSONAS_READ)
async def list_lint_rules(request: HttpRequest) -> LintRulesOut:
    """Every rule that a finding can name."""
    return LintRulesOut(data=[LintRuleOut.of(rule) for rule in lint.RULES.values()])
