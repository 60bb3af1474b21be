"""What this organization can do here and now: `/v1/me`, `/v1/capabilities`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Router

from gateway.core.endpoint import call_of, endpoint
from gateway.core.errors import GatewayError
from gateway.governance.proposals import registry as executors
from gateway.platform.flags import catalogue
from gateway.platform.providers import registry as providers
from gateway.surfaces.v1.schemas.about import CapabilitiesOut, MeOut
from tenants import plans
from tenants.context import in_public
from tenants.people.roles import KEY_SCOPES
from tenants.selectors import directory_version
from tenants.types import ApiKey, CapabilityToken

router = Router(tags=["about"])


@router.get("/me", response=MeOut, summary="Who is calling")
@endpoint(scope=None)
async def me(request: HttpRequest) -> JsonResponse:
    """A key, a capability token, or a person; the others are null."""
    principal = call_of(request).principal
    organization, user = principal.organization, principal.user
    return JsonResponse(
        {
            "organization": {
                "id": organization.ref.public_id,
                "slug": organization.slug,
                "name": organization.name,
                "plan": organization.plan,
            },
            # What an organization calls its key is not for whoever holds a token of it.
            "key": _key(principal.key) if principal.key is not None and principal.token is None else None,
            "token": _token(principal.token) if principal.token is not None else None,
            "user": {"id": user.public_id, "email": user.email, "name": user.name} if user is not None else None,
            "role": principal.role,
        }
    )


def _key(key: ApiKey) -> dict[str, Any]:
    shown = {name: getattr(key, name) for name in ("name", "mode", "persona_ids", "subject_ids", "memory_scopes")}
    return {"id": key.public_id, "scopes": list(KEY_SCOPES if key.scopes is None else key.scopes), **shown}


def _token(token: CapabilityToken) -> dict[str, Any]:
    names = ("scopes", "persona_ids", "subject_ids", "memory_scopes", "models", "origins", "budget_micros")
    shown = {name: getattr(token, name) for name in names}
    return {"id": token.public_id, "expires_at": token.expires_at.isoformat(), **shown}


@router.get("/capabilities", response=CapabilitiesOut, summary="What works here now, computed from live state")
@endpoint(scope=None)
async def capabilities(request: HttpRequest) -> JsonResponse:
    organization = call_of(request).principal.organization
    database = await _state(in_public(directory_version))
    features = {key: bool(catalogue.value(organization, key)) for key in catalogue.FLAGS if key.startswith("enable_")}
    limits = plans.limits(organization)
    return JsonResponse(
        {
            "features": features,
            "models": [model.id for model in await providers.available(organization)],
            "proposal_types": sorted(executors.types()),
            "surfaces": {"chat": True, "openai_chat_completions": True, "streaming": True},
            "recall": {"lexical": database == "ok", "dense": False},
            "dependencies": {"database": database, "store": "ok"},
            "limits": {
                "calls_per_month": catalogue.monthly_calls(organization),
                "personas": limits.personas,
                "memories_per_subject": limits.memories,
                "rate": {"limit": limits.rate, "window_s": limits.rate_window_s},
            },
        }
    )


async def _state(check: Any) -> str:
    try:
        await check
    except GatewayError as error:
        return error.code
    return "ok"
