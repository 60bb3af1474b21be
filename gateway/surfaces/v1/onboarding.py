"""``/v1/onboarding``: how far an organization has come, from what is there. Nothing is ever ticked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.governance.access import rules
from gateway.governance.proposals import selectors as proposals
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.defaults import DEFAULT_PERSONA_ID
from gateway.platform.admission import gate
from gateway.platform.admission.types import Tried
from gateway.platform.ledger import selectors as ledger
from gateway.platform.ledger.types import LedgerEntry
from gateway.platform.providers import selectors as providers
from gateway.platform.requests import selectors as records
from gateway.surfaces.v1.schemas.onboarding import FirstCallOut, OnboardingOut, OnboardingStepOut, StageOut
from tenants import selectors
from tenants.context import in_tenant
from tenants.people import invitations, members
from tenants.types import OrgRef, Principal

router = Router(tags=["onboarding"])
_MODEL = "Use the model ikiro/sandbox, or another of GET /v1/models."
_BODY = "Compare the body with the sample beside this box; errors[0].pointer names the field."
_FIXES = {
    "key_misplaced": "Send exactly this header: Authorization: Bearer <your key>",
    "key_revoked": "This key was revoked. Make a new one under API keys and use its secret.",
    "key_expired": "This secret has ended. Make a new key, or rotate this one, and use the new secret.",
    "scope_missing": "This key may not chat. Make one with the scope chat.",
    "persona_not_found": f"Use the persona {DEFAULT_PERSONA_ID}, or another of GET /v1/personas.",
    "persona_not_allowed": "This key is narrowed to other personas. Use one of its own, or another key.",
    "subject_not_allowed": "This key is narrowed to other subjects. Use one of its own, or another key.",
    "model_not_found": _MODEL,
    "no_such_model": _MODEL,
    "malformed_json": "The body is not JSON. Send it with -d '{…}' and Content-Type: application/json.",
    "invalid_request": _BODY,
    "rate_limited": "Wait a moment: the limit of requests per minute was reached.",
    "quota_exceeded": "The month's calls are used up. Take a larger plan, or wait for the next month.",
}
_PROVIDER_FIX = "The model's provider failed. Try ikiro/sandbox, which needs none, and check the provider's key."


@dataclass(frozen=True, slots=True)
class _Facts:
    key_at: datetime | None
    persona_at: datetime | None
    decided_at: datetime | None
    provider_at: datetime | None
    invited_at: datetime | None
    members: int
    signed_up_at: datetime | None
    success: LedgerEntry | None
    last: LedgerEntry | None
    decisions: list[dict[str, Any]]


@router.get("/onboarding", response=OnboardingOut, summary="How far this organization has come")
@endpoint(scope=None)
async def onboarding(request: HttpRequest) -> OnboardingOut:
    """Poll this while waiting for the first call: it shows within two seconds, also one that was refused because its
    key stood in the wrong place."""
    principal: Principal = call_of(request).principal
    organization = principal.organization
    facts = await in_tenant(principal.ref, _facts, principal.ref)
    tried = None if facts.success is not None else await gate.last_failed_call(principal.ref.id)
    first = facts.success
    began = facts.signed_up_at or organization.created_at
    shows_calls = rules.by_scope(principal, Scope.REQUESTS_READ).allowed
    return OnboardingOut(
        steps=[
            _step("organization", organization.created_at),
            _step("api_key", facts.key_at),
            _step("persona", facts.persona_at),
            _step("first_call", first.occurred_at if first else None),
            _step("proposal", facts.decided_at),
            _step("provider", facts.provider_at),
            OnboardingStepOut(
                id="invite", done=facts.members > 1 or facts.invited_at is not None, done_at=facts.invited_at
            ),
        ],
        first_call=_first_call(facts, tried) if shows_calls else None,
        signed_up_at=began,
        time_to_first_call_s=max(0.0, (first.occurred_at - began).total_seconds()) if first else None,
    )


def _facts(ref: OrgRef) -> _Facts:
    success = ledger.first_success(ref.id)
    last = None if success is not None else ledger.last_request(ref.id)
    shown = success or last
    record = records.get(shown.request_id) if shown is not None else None
    return _Facts(
        key_at=selectors.first_key_at(ref),
        persona_at=personas.first_made_at(),
        decided_at=proposals.first_decided_at(),
        provider_at=providers.first_made_at(),
        invited_at=invitations.exists(ref),
        members=members.count(ref),
        signed_up_at=selectors.signed_up_at(ref),
        success=success,
        last=last,
        decisions=record.decisions if record is not None else [],
    )


def _step(name: Any, at: datetime | None) -> OnboardingStepOut:
    return OnboardingStepOut(id=name, done=at is not None, done_at=at)


def _first_call(facts: _Facts, tried: Tried | None) -> FirstCallOut:
    if facts.success is not None:
        return _of_entry(facts.success, facts.decisions, "succeeded")
    last = facts.last
    if tried is not None and (last is None or _is_newer(tried, last)):
        return FirstCallOut(
            state="failed",
            request_id=ids.public("req", tried.request_id),
            occurred_at=datetime.fromtimestamp(tried.at_ms / 1000, UTC),
            status=tried.status,
            code=tried.code,
            detail=tried.detail,
            fix=_fix(tried.code, tried.status),
        )
    if last is None:
        return FirstCallOut(state="waiting")
    shown = _of_entry(last, facts.decisions, "failed")
    same = tried is not None and tried.request_id == last.request_id
    return shown.model_copy(update={"detail": tried.detail if tried is not None and same else None})


def _is_newer(tried: Tried, last: LedgerEntry) -> bool:
    return tried.request_id != last.request_id and tried.at_ms > last.occurred_at.timestamp() * 1000


def _of_entry(entry: LedgerEntry, decisions: list[dict[str, Any]], state: Any) -> FirstCallOut:
    failed = state == "failed"
    return FirstCallOut(
        state=state,
        request_id=ids.public("req", entry.request_id),
        occurred_at=entry.occurred_at,
        status=entry.status,
        code=entry.outcome if failed else None,
        latency_ms=entry.latency_ms,
        timeline=_timeline(decisions, entry.latency_ms),
        fix=_fix(entry.outcome, entry.status) if failed else None,
    )


def _timeline(decisions: list[dict[str, Any]], latency_ms: int) -> list[StageOut]:
    """How long each stage took: from the one before it to itself. The answer takes what is left."""
    stages, at = [], 0.0
    for one in decisions:
        reached = one.get("at_ms")
        if isinstance(reached, int | float) and one.get("stage") != "price":
            stages.append(StageOut(stage=str(one["stage"]), ms=round(max(0.0, reached - at), 1)))
            at = max(at, reached)
    if stages:
        stages.append(StageOut(stage="answer", ms=round(max(0.0, latency_ms - at), 1)))
    return stages


def _fix(code: str, status: int) -> str | None:
    return _FIXES.get(code) or (_PROVIDER_FIX if status in {502, 504} else None)
