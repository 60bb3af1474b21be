"""`/v1/providers`: the organization's own credentials for models. A key is written, used, replaced, and never read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema

from gateway.core import ids, pagination
from gateway.core.crypto import Secret
from gateway.core.endpoint import Metering, Scope, call_of, endpoint
from gateway.engine.routing import blast
from gateway.platform.providers import addresses, selectors, services, snapshots
from gateway.platform.providers.entries import Entry
from gateway.platform.providers.stored import StoredProvider
from gateway.surfaces.v1.schemas.providers import (
    ProviderChange,
    ProviderIn,
    ProviderOut,
    ProviderRotateIn,
    TrialIn,
    TrialOut,
    secret,
)
from gateway.surfaces.v1.trial import trial
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import OrgRef

router = Router(tags=["providers"])


class HealthOut(Schema):
    """What this worker saw in the last minute. `error_rate` and `p50_ms` (to the first token) are null without calls;
    `since` is when the state began."""

    state: Literal["unknown", "closed", "open", "half_open"]
    since: datetime
    calls: int
    error_rate: float | None
    p50_ms: int | None
    last_error: str | None
    last_error_at: datetime | None


class ProviderHealthOut(ProviderOut):
    """One provider and how it is doing; `health` is null until this worker knows the provider."""

    health: HealthOut | None

    @classmethod
    def seen(cls, stored: StoredProvider, entry: Entry | None) -> ProviderHealthOut:
        health = HealthOut(**asdict(entry.health.view())) if entry is not None else None
        return cls(**ProviderOut.of(stored).model_dump(), health=health)


class ProvidersHealthOut(Schema):
    data: list[ProviderHealthOut]
    next_cursor: str | None


class RadiusAliasOut(Schema):
    """`dead`: it has no other target."""

    alias: str
    models: list[str]
    dead: bool


class RadiusKeyOut(Schema):
    """A key narrowed to models there; `dead`: it may use nothing else."""

    id: str
    name: str
    models: list[str]
    dead: bool


class RadiusCallsOut(Schema):
    model: str
    calls: int


class BlastRadiusOut(Schema):
    """`platform_takes_over`: once deleted, the platform's provider of the same name answers."""

    provider_id: str
    aliases: list[RadiusAliasOut]
    keys: list[RadiusKeyOut]
    calls: list[RadiusCallsOut]
    platform_takes_over: bool


@router.get("/providers", response=ProvidersHealthOut, summary="List providers, newest first")
@endpoint(scope=Scope.PROVIDERS_READ)
async def list_providers(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> ProvidersHealthOut:
    """Each with its health as this worker has seen it in the last minute; another worker may have seen more or less."""
    organization = call_of(request).principal.organization
    size, after = pagination.check_limit(limit), pagination.decode_cursor(cursor)
    page = await in_tenant(organization.ref, selectors.providers_page, limit=size, after=after)
    seen = (await snapshots.of(organization)).entries
    data = [ProviderHealthOut.seen(one, seen.get(one.name)) for one in page.data]
    return ProvidersHealthOut(data=data, next_cursor=page.next_cursor)


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


@router.get("/providers/{provider_id}", response=ProviderHealthOut, summary="One provider")
@endpoint(scope=Scope.PROVIDERS_READ)
async def get_provider(request: HttpRequest, provider_id: str) -> ProviderHealthOut:
    organization = call_of(request).principal.organization
    found = await in_tenant(organization.ref, selectors.provider, ids.parse("prv", provider_id))
    return ProviderHealthOut.seen(found, (await snapshots.of(organization)).entries.get(found.name))


@router.get("/providers/{provider_id}/blast-radius", response=BlastRadiusOut, summary="What would stop without it")
@endpoint(scope=Scope.PROVIDERS_READ)
async def get_blast_radius(request: HttpRequest, provider_id: str) -> BlastRadiusOut:
    """Aliases and keys that lead to it, and the calls of the last 24 hours."""
    return await _radius(call_of(request).principal.ref, provider_id)


@router.patch(
    "/providers/{provider_id}", response=ProviderOut | BlastRadiusOut, summary="Disable, enable or move a provider"
)
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def change_provider(
    request: HttpRequest, provider_id: str, body: ProviderChange, preview: bool = False
) -> ProviderOut | BlastRadiusOut:
    """It holds for the very next request here, and within a second everywhere. With `preview=true` nothing changes, and
    the answer is what a disabled provider would stop."""
    call = call_of(request)
    if preview:
        return await _radius(call.principal.ref, provider_id)
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


@router.delete(
    "/providers/{provider_id}", response=ProviderOut | BlastRadiusOut, summary="Delete a provider and its key"
)
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def delete_provider(
    request: HttpRequest, provider_id: str, preview: bool = False
) -> ProviderOut | BlastRadiusOut:
    """With `preview=true` nothing changes, and the answer is what would stop."""
    call = call_of(request)
    if preview:
        return await _radius(call.principal.ref, provider_id)
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


async def _radius(ref: OrgRef, provider_id: str) -> BlastRadiusOut:
    found = await in_tenant(ref, blast.blast_radius, ids.parse("prv", provider_id))
    return BlastRadiusOut(provider_id=provider_id, **asdict(found))
