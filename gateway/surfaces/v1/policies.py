"""`GET /v1/policies/effective`: what holds for a request, and why. Beside the slice because it needs the persona and
the subject too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.governance.access import teams
from gateway.governance.access.errors import UnknownTeam
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import shadows
from gateway.governance.policies.guardrails.wire import GuardRuleOut
from gateway.governance.policies.merge import merge
from gateway.governance.policies.shadows import Shadow
from gateway.governance.policies.types import EffectivePolicy, Overlay, RedactMode, RequestedPolicy
from gateway.knowledge.personas import relationships
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.compile import speaking
from gateway.knowledge.personas.types import STAGES
from gateway.knowledge.subjects import selectors as subjects
from tenants.context import in_tenant
from tenants.types import Principal

router = Router(tags=["policies"])


class WritesOut(Schema):
    """Which proposed writes go ahead without a person."""

    approval: str
    auto_types: list[str]
    min_confidence: float


class RetentionOut(Schema):
    """Days that conversations and stored bodies are kept at most; null is as the organization's settings say."""

    conversation_days: int | None
    body_days: int | None


class ShadowOut(Schema):
    """An overlay in shadow, as a trace would name it (`org`, `team:sales`)."""

    name: str
    version: int


class EffectiveOut(Schema):
    """The effective values; `trace` has a line for each: who set it, who locked it, which rule decided. `shadows` are
    the overlays in shadow that speak of such a request; the values are theirs only where that was asked for."""

    do: list[str]
    dont: list[str]
    disclaimers: list[str]
    redact_mode: str
    memory_scopes: list[str] | None
    allowed_models: list[list[str]]
    denied_models: list[str]
    allowed_tools: list[list[str]]
    denied_tools: list[str]
    write_targets: list[list[str]]
    writes: WritesOut
    max_output_tokens: int | None
    retention: RetentionOut
    guardrails: list[GuardRuleOut]
    teams: list[str]
    shadows: list[ShadowOut]
    trace: list[dict[str, Any]]

    @classmethod
    def of(cls, policy: EffectivePolicy, team_ids: tuple[str, ...], overlays: tuple[Overlay, ...]) -> EffectiveOut:
        return cls(
            do=list(policy.do),
            dont=list(policy.dont),
            disclaimers=list(policy.disclaimers),
            redact_mode=policy.redact_mode,
            memory_scopes=list(policy.memory_scopes) if policy.memory_scopes is not None else None,
            allowed_models=[list(rule.globs) for rule in policy.allowed_models],
            denied_models=[glob for glob, _ in policy.denied_models],
            allowed_tools=[list(rule.globs) for rule in policy.allowed_tools],
            denied_tools=[glob for glob, _ in policy.denied_tools],
            write_targets=[list(rule.globs) for rule in policy.write_targets],
            writes=WritesOut(
                approval=policy.approval, auto_types=list(policy.auto_types), min_confidence=policy.min_confidence
            ),
            max_output_tokens=policy.max_output_tokens,
            retention=RetentionOut(
                conversation_days=policy.retention.conversation_days, body_days=policy.retention.body_days
            ),
            guardrails=[
                GuardRuleOut(
                    name=rule.name, direction=rule.direction.value, action=rule.action, shadow=rule.shadow,
                    set_by=rule.set_by, locked=rule.locked,
                )
                for rule in policy.guardrails
            ],
            teams=list(team_ids),
            shadows=[ShadowOut(name=one.name, version=one.version) for one in overlays],
            trace=policy.trace_json(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose policy is asked for, and with which wishes."""

    persona_id: str | None
    subject_id: str | None
    conversation_id: str | None
    team_ids: tuple[str, ...]
    wish: RequestedPolicy


@router.get("/policies/effective", response=EffectiveOut, summary="The policy in force, and why")
@endpoint(scope=Scope.POLICIES_READ)
async def effective(
    request: HttpRequest,
    *,
    persona: Annotated[str | None, Query(max_length=128)] = None,
    persona_id: Annotated[str | None, Query(max_length=128, description="The same as persona.")] = None,
    subject: Annotated[str | None, Query(max_length=128)] = None,
    subject_id: Annotated[str | None, Query(max_length=128, description="The same as subject.")] = None,
    team: Annotated[
        str | None, Query(max_length=2_000, description="Comma-separated; besides those of key and subject.")
    ] = None,
    conversation_id: Annotated[str | None, Query(max_length=64)] = None,
    redact_mode: RedactMode | None = None,
    memory_scopes: Annotated[str | None, Query(max_length=2_000, description="Comma-separated.")] = None,
    max_output_tokens: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    shadow: Annotated[bool, Query(description="With the overlays in shadow in force.")] = False,
) -> EffectiveOut:
    """What would hold for a request of this key with these wishes, for this subject as it is now, and as if key or
    subject were also in the teams named here. A chat never names a team. With `shadow` the values as they would be,
    were the overlays in shadow in force."""
    principal: Principal = call_of(request).principal
    asked = _Asked(
        persona_id=_one("persona", persona, persona_id),
        subject_id=_one("subject", subject, subject_id),
        conversation_id=None if conversation_id is None else conversation_id.replace("\0", "\ufffd"),
        team_ids=_words(team) or (),
        wish=RequestedPolicy(
            redact_mode=redact_mode,
            memory_scopes=_words(memory_scopes),
            key_memory_scopes=principal.grant.memory_scopes,
            max_output_tokens=max_output_tokens,
        ),
    )
    _check_key(principal, asked)
    policy, would_be, team_ids = await in_tenant(principal.ref, _effective, asked, principal)
    shown = would_be.policy if shadow and would_be is not None else policy
    return EffectiveOut.of(shown, team_ids, would_be.overlays if would_be is not None else ())


def _one(name: str, first: str | None, second: str | None) -> str | None:
    """A parameter that has two names."""
    if first is not None and second is not None and first != second:
        problem = FieldProblem(f"#/query/{name}_id", "contradiction", f"is not what {name} says; send one of them")
        raise BadRequest(f"{name} and {name}_id name different ones.", problems=(problem,))
    return first if first is not None else second


def _words(text: str | None) -> tuple[str, ...] | None:
    return tuple(word for part in text.split(",") if (word := part.strip())) if text is not None else None


def _check_key(principal: Principal, asked: _Asked) -> None:
    if asked.persona_id is not None:
        principal.require_persona(asked.persona_id.partition("@")[0])
    if asked.subject_id is not None:
        principal.require_subject(asked.subject_id)
    if asked.conversation_id is not None and principal.grant.subject_ids is not None:
        raise Forbidden(
            "This key is for some subjects; whose conversation this is cannot be told here.", code="subject_not_allowed"
        )


def _effective(asked: _Asked, principal: Principal) -> tuple[EffectivePolicy, Shadow | None, tuple[str, ...]]:
    missing = sorted(set(asked.team_ids) - teams.known(asked.team_ids))
    if missing:
        raise UnknownTeam(missing, "#/query/team")
    found = subjects.find(asked.subject_id) if asked.subject_id is not None else None
    own = found.team_ids if found is not None else ()
    team_ids = tuple(sorted({*principal.grant.team_ids, *own, *asked.team_ids}))
    stage = STAGES[0] if asked.subject_id is not None else None
    if found is not None and asked.persona_id is not None:
        stage = relationships.of(found.pk, asked.persona_id.partition("@")[0]).stage
    do, dont = _behavior(asked.persona_id, stage)
    overlays = policies.overlays(
        teams=team_ids, subject_id=asked.subject_id, conversation_id=asked.conversation_id
    )  # fmt: skip
    policy = merge(overlays, persona_do=do, persona_dont=dont, request=asked.wish)
    return policy, shadows.of(overlays, persona_do=do, persona_dont=dont, request=asked.wish), team_ids


def _behavior(persona_id: str | None, stage: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if persona_id is None:
        return (), ()
    behavior = speaking(personas.load(*personas.parse_ref(persona_id)).cartridge, stage=stage).behavior
    return tuple(behavior.do), tuple(behavior.dont)
