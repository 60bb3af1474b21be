"""`/v1/models/aliases`: the organization's short names for models."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import FieldProblem
from gateway.platform.providers import registry, selectors, services
from gateway.platform.providers.errors import InvalidAlias, ModelNotFound
from gateway.platform.providers.stored import Alias
from tenants.context import in_tenant
from tenants.directory import directory

router = Router(tags=["models"])


class AliasIn(Schema):
    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, max_length=256, description="A full name, `provider/model`.")


class AliasOut(Schema):
    """A short name and the model that it stands for."""

    alias: str
    model: str
    updated_at: datetime

    @classmethod
    def of(cls, alias: Alias) -> AliasOut:
        return cls(alias=alias.alias, model=alias.model, updated_at=alias.updated_at)


class AliasesOut(Schema):
    """All of them: there are at most 200, so there is never a next page."""

    data: list[AliasOut]
    next_cursor: None = None


@router.get("/models/aliases", response=AliasesOut, summary="List the organization's aliases")
@endpoint(scope=Scope.PROVIDERS_READ)
async def list_aliases(request: HttpRequest) -> AliasesOut:
    found = await in_tenant(call_of(request).principal.ref, selectors.aliases)
    return AliasesOut(data=[AliasOut.of(one) for one in found])


@router.get("/models/aliases/{alias}", response=AliasOut, summary="One alias")
@endpoint(scope=Scope.PROVIDERS_READ)
async def get_alias(request: HttpRequest, alias: str) -> AliasOut:
    return AliasOut.of(await in_tenant(call_of(request).principal.ref, selectors.alias, alias))


@router.put("/models/aliases/{alias}", response=AliasOut, summary="Let a short name stand for a model")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def put_alias(request: HttpRequest, alias: str, body: AliasIn) -> AliasOut:
    """It holds for the very next request here, and within a second everywhere."""
    call = call_of(request)
    principal = call.principal
    try:
        await registry.route(principal.organization, body.model)
    except ModelNotFound as error:
        problem = FieldProblem("#/model", "alias_target_unknown", error.detail)
        raise InvalidAlias(error.detail, code="alias_target_unknown", problems=(problem,)) from None
    made = await in_tenant(
        principal.ref, services.alias_set, alias, body.model, actor=principal.actor, request_id=call.request_id
    )
    await directory.load()
    return AliasOut.of(made)


@router.delete("/models/aliases/{alias}", response=AliasOut, summary="Remove an alias")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def delete_alias(request: HttpRequest, alias: str) -> AliasOut:
    call = call_of(request)
    principal = call.principal
    gone = await in_tenant(
        principal.ref, services.alias_remove, alias, actor=principal.actor, request_id=call.request_id
    )
    await directory.load()
    return AliasOut.of(gone)
