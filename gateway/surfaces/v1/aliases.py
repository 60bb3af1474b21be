"""`/v1/models/aliases`: the organization's short names, for one model or for a route over several."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import FieldProblem
from gateway.core.wire import Number
from gateway.platform.providers import registry, selectors, services
from gateway.platform.providers.errors import InvalidAlias, ModelNotFound
from gateway.platform.providers.stored import Alias, RouteSpec, Strategy, Target
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import Organization

router = Router(tags=["models"])
_Model = Annotated[str, Field(min_length=1, max_length=256, description="A full name, `provider/model`.")]
_Seconds = Annotated[Number, Field(ge=1, le=3600)]


class RouteTargetIn(Schema):
    """One model; `weight` counts with the strategy `weighted`."""

    model_config = ConfigDict(extra="forbid")

    model: _Model
    weight: int = Field(1, ge=1, le=services.MAX_WEIGHT)


class RouteTimeoutsIn(Schema):
    """Seconds that one target may take before the next is asked: to the first token of a stream, to the end of a
    buffered answer."""

    model_config = ConfigDict(extra="forbid")

    first_token_s: _Seconds | None = None
    total_s: _Seconds | None = None


class AliasIn(Schema):
    """Either one `model`, or `targets` with the rest."""

    model_config = ConfigDict(extra="forbid")

    model: _Model | None = None
    targets: list[RouteTargetIn] | None = Field(None, min_length=1, max_length=services.MAX_TARGETS)
    strategy: Strategy = Field(Strategy.ORDERED, description="In the order written, or the first drawn by weight.")
    fallbacks: list[_Model] = Field(default_factory=list, max_length=services.MAX_TARGETS - 1)
    cache_s: int | None = Field(None, ge=1, le=30 * 86_400, description="Exact response cache, in seconds.")
    timeouts: RouteTimeoutsIn | None = None

    def spec(self) -> RouteSpec | str:
        """The route, or the name of its one model. Raises InvalidAlias unless there is exactly one of the two."""
        if (self.model is None) == (self.targets is None):
            told = "send either model or targets"
            raise InvalidAlias(f"{told}.", problems=(FieldProblem("#/model", "invalid", told),))
        targets = [(one.model, one.weight) for one in self.targets or ()] or [(self.model or "", 1)]
        timeouts = self.timeouts.model_dump(exclude_none=True) if self.timeouts else {}
        made = RouteSpec(
            tuple(Target(model, weight) for model, weight in targets),
            self.strategy,
            tuple(self.fallbacks),
            self.cache_s,
            tuple(sorted(timeouts.items())),
        )
        return self.model if self.model is not None and made == RouteSpec.to(self.model) else made


class RouteTargetOut(Schema):
    model: str
    weight: int


class AliasOut(Schema):
    """A short name and what it stands for; `model` is the first of its `targets`."""

    alias: str
    model: str
    targets: list[RouteTargetOut]
    strategy: Strategy
    fallbacks: list[str]
    cache_s: int | None
    timeouts: dict[str, float]
    updated_at: datetime

    @classmethod
    def of(cls, alias: Alias) -> AliasOut:
        route = alias.route
        return cls(
            alias=alias.alias,
            model=alias.model,
            targets=[RouteTargetOut(model=one.model, weight=one.weight) for one in route.targets],
            strategy=route.strategy,
            fallbacks=list(route.fallbacks),
            cache_s=route.cache_s,
            timeouts=dict(route.timeouts),
            updated_at=alias.updated_at,
        )


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


@router.put("/models/aliases/{alias}", response=AliasOut, summary="Let a short name stand for a model or a route")
@endpoint(scope=Scope.PROVIDERS_WRITE)
async def put_alias(request: HttpRequest, alias: str, body: AliasIn) -> AliasOut:
    """It holds for the very next request here, and within a second everywhere."""
    call = call_of(request)
    principal, spec = call.principal, body.spec()
    await _check_targets(principal.organization, spec, plain=body.targets is None)
    made = await in_tenant(
        principal.ref, services.alias_set, alias, spec, actor=principal.actor, request_id=call.request_id
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


async def _check_targets(organization: Organization, spec: RouteSpec | str, *, plain: bool) -> None:
    """Raise InvalidAlias ``alias_target_unknown`` for each target that leads nowhere, with its place in the body."""
    found, problems = await registry.configuration(organization), []
    route = RouteSpec.to(spec) if isinstance(spec, str) else spec
    for pointer, model in services.pointers(route, plain=plain):
        try:
            found.led(model).entry.check()
        except ModelNotFound as error:
            problems.append(FieldProblem(pointer, "alias_target_unknown", error.detail))
    if problems:
        raise InvalidAlias(problems[0].message, code="alias_target_unknown", problems=tuple(problems))
