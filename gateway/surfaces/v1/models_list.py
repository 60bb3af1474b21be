"""`GET /v1/models` and one model, as OpenAI's clients read them, or as Anthropic's when the request carries their
`anthropic-version` header."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from django.http import HttpRequest, JsonResponse
from ninja import Router, Schema

from gateway.core.endpoint import call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem
from gateway.engine import routing
from gateway.engine.routing import tiers
from gateway.platform.providers import registry
from gateway.platform.providers.catalogue import ModelInfo
from gateway.platform.providers.errors import ModelNotFound
from tenants.types import Principal

router = Router(tags=["models"])
# How long a first caller waits for providers whose lists nobody has seen yet.
_PATIENCE_S = 2.0
_PAGE, _LONGEST = 20, 1000


class ModelOut(Schema):
    """One model. With ``pattern`` the id is a glob for names that the provider decides on; ``alias_of`` is the model
    that an alias stands for; ``created`` is 0 where nobody says."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    pattern: bool
    alias_of: str | None


class ModelsOut(Schema):
    object: Literal["list"]
    data: list[ModelOut]


@router.get("/models", response=ModelsOut, summary="The models that answer here")
@endpoint(scope=None, surface="openai")
async def list_models(request: HttpRequest) -> JsonResponse:
    """The sandbox, the aliases, and each provider's models as it lists them. With an `anthropic-version` header the
    answer is a page in Anthropic's shape."""
    principal = call_of(request).principal
    listed = await registry.available(principal.organization, patience_s=_PATIENCE_S)
    found = [one for one in listed if _allowed(principal, one)]
    if not _is_anthropic(request):
        return JsonResponse({"object": "list", "data": [_openai(one) for one in found]})
    named = [one for one in found if not one.pattern]
    return JsonResponse(_page(request, named))


@router.get("/models/{path:model_id}", response=ModelOut, summary="One model")
@endpoint(scope=None, surface="openai")
async def get_model(request: HttpRequest, model_id: str) -> JsonResponse:
    principal = call_of(request).principal
    organization = principal.organization
    if model_id in tiers.NAMES:
        first = (await routing.plan(organization, model_id, principal=principal)).first
        found = ModelInfo(model_id, first.provider.name, name=model_id, alias_of=first.name)
    else:
        found = await registry.find(organization, model_id, patience_s=_PATIENCE_S)
        if not _allowed(principal, found):
            raise ModelNotFound(f"There is no model {model_id!r} for this caller.", extra={"param": "model"})
    return JsonResponse(_anthropic(found) if _is_anthropic(request) else _openai(found))


def _allowed(principal: Principal, info: ModelInfo) -> bool:
    """Whether the caller may ask for it; a pattern is shown to who may ask for some of what it stands for."""
    allowed = principal.grant.models
    if allowed is None or not info.pattern:
        alias = info.id if info.alias_of is not None else None
        return principal.may_use_model(info.alias_of or info.id, alias)
    return any(model.startswith(f"{info.provider}/") for model in allowed)


def _is_anthropic(request: HttpRequest) -> bool:
    return "HTTP_ANTHROPIC_VERSION" in request.META


def _openai(info: ModelInfo) -> dict[str, Any]:
    return {
        "id": info.id, "object": "model", "created": info.created, "owned_by": info.provider,
        "pattern": info.pattern, "alias_of": info.alias_of,
    }  # fmt: skip


def _anthropic(info: ModelInfo) -> dict[str, Any]:
    made = datetime.fromtimestamp(info.created, UTC).isoformat().replace("+00:00", "Z")
    return {"type": "model", "id": info.id, "display_name": info.name or info.id, "created_at": made}


def _page(request: HttpRequest, found: list[ModelInfo]) -> dict[str, Any]:
    size = _size(request.GET.get("limit"))
    places = {one.id: at for at, one in enumerate(found)}
    begin, end = 0, len(found)
    if after := request.GET.get("after_id"):
        begin = places.get(after, end) + 1
    elif before := request.GET.get("before_id"):
        end = places.get(before, 0)
        begin = max(0, end - size)
    shown = found[begin : min(end, begin + size)]
    more = begin > 0 if request.GET.get("before_id") and not after else begin + size < end
    ends = {"first_id": shown[0].id if shown else None, "last_id": shown[-1].id if shown else None}
    return {"data": [_anthropic(one) for one in shown], "has_more": more, **ends}


def _size(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= _LONGEST:
        problem = FieldProblem("#/query/limit", "invalid", f"must be a whole number from 1 to {_LONGEST}")
        raise BadRequest(f"limit {problem.message}.", problems=(problem,))
    return int(text)
