"""`GET /v1/policies/effective`: what holds for a request, and why. Beside the slice because it needs the persona
too."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import Forbidden
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.types import EffectivePolicy, RedactMode, RequestedPolicy
from gateway.knowledge.personas import selectors as personas
from tenants.context import in_tenant

router = Router(tags=["policies"])


class WritesOut(Schema):
    """Which proposed writes go ahead without a person."""

    approval: str
    auto_types: list[str]
    min_confidence: float


class EffectiveOut(Schema):
    """The effective values; `trace` has a line for each: who set it, who locked it, which rule decided."""

    do: list[str]
    dont: list[str]
    disclaimers: list[str]
    redact_mode: str
    memory_scopes: list[str] | None
    allowed_models: list[list[str]]
    denied_models: list[str]
    writes: WritesOut
    max_output_tokens: int | None
    trace: list[dict[str, Any]]

    @classmethod
    def of(cls, policy: EffectivePolicy) -> EffectiveOut:
        return cls(
            do=list(policy.do),
            dont=list(policy.dont),
            disclaimers=list(policy.disclaimers),
            redact_mode=policy.redact_mode,
            memory_scopes=list(policy.memory_scopes) if policy.memory_scopes is not None else None,
            allowed_models=[list(rule.globs) for rule in policy.allowed_models],
            denied_models=[glob for glob, _ in policy.denied_models],
            writes=WritesOut(
                approval=policy.approval, auto_types=list(policy.auto_types), min_confidence=policy.min_confidence
            ),
            max_output_tokens=policy.max_output_tokens,
            trace=policy.trace_json(),
        )


@router.get("/policies/effective", response=EffectiveOut, summary="The policy in force, and why")
@endpoint(scope=Scope.POLICIES_READ)
async def effective(
    request: HttpRequest,
    persona_id: Annotated[str | None, Query(max_length=64)] = None,
    redact_mode: RedactMode | None = None,
    memory_scopes: Annotated[str | None, Query(max_length=2_000, description="Comma-separated.")] = None,
    max_output_tokens: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> EffectiveOut:
    """What would hold for a request of this key with these wishes."""
    principal = call_of(request).principal
    if persona_id is not None and not principal.may_use_persona(persona_id):
        raise Forbidden(f"This key may not use the persona {persona_id!r}.", code="persona_not_allowed")
    wish = RequestedPolicy(
        redact_mode=redact_mode,
        memory_scopes=tuple(part.strip() for part in memory_scopes.split(",")) if memory_scopes is not None else None,
        key_memory_scopes=principal.grant.memory_scopes,
        max_output_tokens=max_output_tokens,
    )
    return EffectiveOut.of(await in_tenant(principal.ref, _effective, persona_id, wish))


def _effective(persona_id: str | None, wish: RequestedPolicy) -> EffectivePolicy:
    if persona_id is None:
        return policies.effective(request=wish)
    behavior = personas.load(persona_id).cartridge.behavior
    return policies.effective(persona_do=behavior.do, persona_dont=behavior.dont, request=wish)
