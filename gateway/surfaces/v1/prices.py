"""`/v1/prices`: what models cost here, by the list and by the organization's own word."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Router

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.platform.providers import own_prices, prices, registry
from gateway.platform.providers.errors import ModelNotFound
from gateway.platform.providers.rates import Rate, Rates, dollars
from gateway.surfaces.v1.billing import whole_organization
from gateway.surfaces.v1.schemas.billing import PriceIn, PriceOut, PricesOut
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import Organization

router = Router(tags=["prices"])
_KINDS = ("prompt", "completion", "cached", "cache_write")


@router.get("/prices", response=PricesOut, summary="The organization's own prices")
@endpoint(scope=Scope.USAGE_READ)
async def list_prices(request: HttpRequest) -> JsonResponse:
    organization = call_of(request).principal.organization
    names = sorted(organization.settings.price_overrides)
    return JsonResponse({"data": [await _price(organization, name) for name in names], "next_cursor": None})


@router.get("/prices/{path:model}", response=PriceOut, summary="What a model costs")
@endpoint(scope=Scope.USAGE_READ)
async def get_price(request: HttpRequest, model: str) -> JsonResponse:
    """By its full name, `provider/model`, an alias, or a bare name of OpenAI's."""
    return JsonResponse(await _price(call_of(request).principal.organization, model))


@router.put("/prices/{path:model}", response=PriceOut, summary="Set what a model costs you")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def put_price(request: HttpRequest, model: str, body: PriceIn) -> JsonResponse:
    """For a price you negotiated, and for models that no list knows. It holds for the next call; entries keep the
    version they were reckoned by."""
    call = call_of(request)
    principal = whole_organization(call.principal)
    given = {kind: getattr(body, kind) for kind in _KINDS}
    await in_tenant(
        principal.ref, own_prices.set_, principal.ref, model, given, actor=principal.actor, request_id=call.request_id
    )
    return JsonResponse(await _price(await _fresh(principal.organization), model))


@router.delete("/prices/{path:model}", response=PriceOut, summary="Return a model to the price list")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def delete_price(request: HttpRequest, model: str) -> JsonResponse:
    call = call_of(request)
    principal = whole_organization(call.principal)
    await in_tenant(
        principal.ref, own_prices.remove, principal.ref, model, actor=principal.actor, request_id=call.request_id
    )
    return JsonResponse(await _price(await _fresh(principal.organization), model))


async def _fresh(organization: Organization) -> Organization:
    await directory.load()
    return directory.organization(organization.ref.id) or organization


async def _price(organization: Organization, name: str) -> dict[str, Any]:
    """Raises ModelNotFound for a name that leads nowhere and has no price of its own either."""
    listed: Rates | None = None
    try:
        route = await registry.route(organization, name)
        name = route.name
        listed = prices.rates(route.entry.price_as, route.model)
    except ModelNotFound:
        if own_prices.of(organization, name) is None and name.count("/") == 0:
            raise
    own = own_prices.of(organization, name)
    return {
        "model": name,
        "unpriced": own is None and listed is None,
        "in_force": _rates(own or listed),
        "list": _rates(listed),
        "own": _rates(own),
        "markup_percent": prices.MARKUP_PERCENT,
    }


def _rates(found: Rates | None) -> dict[str, Any] | None:
    if found is None:
        return None
    by_kind: dict[str, Rate] = {kind: getattr(found, kind) for kind in _KINDS}
    tiers = {
        kind: [{"above_prompt_tokens": start, "price": dollars(price)} for start, price in rate.tiers]
        for kind, rate in by_kind.items()
        if rate.tiers
    }
    return {kind: dollars(rate.base) for kind, rate in by_kind.items()} | {"tiers": tiers, "version": found.version}
