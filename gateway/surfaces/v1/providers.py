"""`/v1/providers`: the organization's own credentials for models. A key is written, used, replaced, and never read."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids, pagination
from gateway.core.crypto import Secret
from gateway.core.endpoint import Metering, Scope, call_of, endpoint
from gateway.platform.providers import addresses, selectors, services
from gateway.surfaces.v1.schemas.providers import (
    ProviderChange,
    ProviderIn,
    ProviderOut,
    ProviderRotateIn,
    ProvidersOut,
    TrialIn,
    TrialOut,
    secret,
)
from gateway.surfaces.v1.trial import trial
from tenants.context import in_tenant
from tenants.directory import directory

router = Router(tags=["providers"])


@router.get("/providers", response=ProvidersOut, summary="List providers, newest first")
@endpoint(scope=Scope.PROVIDERS_READ)
async def list_providers(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> ProvidersOut:
    size, after = pagination.check_limit(limit), pagination.decode_cursor(cursor)
    page = await in_tenant(call_of(request).principal.ref, selectors.providers_page, limit=size, after=after)
    return ProvidersOut(data=[ProviderOut.of(one) for one in page.data], next_cursor=page.next_cursor)


@router.post("/providers", response={201: ProviderOut}, summary="Add a provider with a key of your own")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def create_provider(request: HttpRequest, body: ProviderIn) -> tuple[int, ProviderOut]:
    """Its models are then called `name/model`. An address in a private network is refused, unless the operator allows
    it."""
    call = call_of(request)
    if body.base_url is not None:
        await addresses.vet(body.base_url)
    made = await in_tenant(
        call.principal.ref,
        services.provider_create,
        name=body.name,
        kind=body.kind,
        base_url=body.base_url or "",
        api_key=Secret(body.api_key.get_secret_value()),
        timeouts=body.timeouts.given() if body.timeouts else None,
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return 201, ProviderOut.of(made)


@router.get("/providers/{provider_id}", response=ProviderOut, summary="One provider")
@endpoint(scope=Scope.PROVIDERS_READ)
async def get_provider(request: HttpRequest, provider_id: str) -> ProviderOut:
    found = await in_tenant(call_of(request).principal.ref, selectors.provider, ids.parse("prv", provider_id))
    return ProviderOut.of(found)


@router.patch("/providers/{provider_id}", response=ProviderOut, summary="Disable, enable or move a provider")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def change_provider(request: HttpRequest, provider_id: str, body: ProviderChange) -> ProviderOut:
    """It holds for the very next request here, and within a second everywhere."""
    call = call_of(request)
    if body.base_url is not None:
        await addresses.vet(body.base_url)
    changed = await in_tenant(
        call.principal.ref,
        services.provider_change,
        ids.parse("prv", provider_id),
        state=body.state,
        base_url=body.base_url,
        api_key=secret(body.api_key),
        timeouts=body.timeouts.given() if body.timeouts else None,
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return ProviderOut.of(changed)


@router.delete("/providers/{provider_id}", response=ProviderOut, summary="Delete a provider and its key")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def delete_provider(request: HttpRequest, provider_id: str) -> ProviderOut:
    call = call_of(request)
    gone = await in_tenant(
        call.principal.ref,
        services.provider_delete,
        ids.parse("prv", provider_id),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return ProviderOut.of(gone)


@router.post("/providers/{provider_id}/rotate", response=ProviderOut, summary="Give a provider another key")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def rotate_provider(request: HttpRequest, provider_id: str, body: ProviderRotateIn) -> ProviderOut:
    """Calls under way end with the old key; the next one here has the new, and within a second everywhere."""
    call = call_of(request)
    rotated = await in_tenant(
        call.principal.ref,
        services.provider_rotate,
        ids.parse("prv", provider_id),
        api_key=Secret(body.api_key.get_secret_value()),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return ProviderOut.of(rotated)


@router.post("/providers/{provider_id}/test", response=TrialOut, summary="Call a provider once, to see it work")
@endpoint(scope=Scope.PROVIDERS_WRITE, metering=Metering.CALL)
async def try_provider(request: HttpRequest, provider_id: str, body: TrialIn | None = None) -> TrialOut:
    """One short call, metered like any other. A provider that fails is a result, not an error of this request."""
    call = call_of(request)
    stored = await in_tenant(call.principal.ref, selectors.provider, ids.parse("prv", provider_id))
    result = await trial(call, stored, body.model if body else None)
    facts = {"ok": result.ok, "model": result.model, "status": result.status}
    await in_tenant(
        call.principal.ref,
        services.note_test,
        stored.id,
        facts=facts | ({"code": result.error.code} if result.error else {}),
        actor=call.principal.actor,
        request_id=call.request_id,
    )
    return result
