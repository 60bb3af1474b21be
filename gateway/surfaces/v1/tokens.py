"""`/v1/tokens`: short-lived parts of a key, for one persona and one subject, to hand to a browser or an agent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden
from gateway.core.wire import Whole
from tenants import capabilities, restrictions, tokenends
from tenants.capabilities import Claims
from tenants.context import in_tenant
from tenants.directory import directory
from tenants.types import ApiKey, Principal

router = Router(tags=["tokens"])
_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Text = Annotated[str, Field(min_length=1, max_length=300)]


class CapabilityTokenIn(Schema):
    """What is left out is as the key has it; `scopes` are `chat` alone."""

    model_config = ConfigDict(extra="forbid")

    persona_id: _Name
    subject_id: _Name
    ttl: Annotated[Whole, Field(ge=1, le=capabilities.MAX_LIFETIME_S)] = Field(
        capabilities.MAX_LIFETIME_S, description="Seconds."
    )
    scopes: list[_Name] = Field(["chat"], min_length=1, max_length=10)
    memory_scopes: list[_Name] | None = Field(None, max_length=50)
    models: list[_Text] | None = Field(None, max_length=50)
    origins: list[_Text] | None = Field(
        None, min_length=1, max_length=20, description="Web origins whose pages may use it."
    )
    budget: Annotated[Whole, Field(ge=1, le=10**15)] | None = Field(
        None, description="Micro-dollars that it may spend in its life."
    )


class CapabilityTokenOut(Schema):
    """The token is in this answer and nowhere else."""

    id: str
    token: str
    expires_at: datetime
    persona_id: str
    subject_id: str
    scopes: list[str]
    memory_scopes: list[str] | None
    models: list[str] | None
    origins: list[str] | None
    budget: int | None


class EndedTokenOut(Schema):
    id: str
    ended_at: datetime


@router.post("/tokens", response={201: CapabilityTokenOut}, summary="Make a capability token")
@endpoint(scope=Scope.TOKENS_WRITE)
async def create_token(request: HttpRequest, body: CapabilityTokenIn) -> tuple[int, CapabilityTokenOut]:
    """It can only narrow what the key may do, ends after `ttl` seconds or with its key, and cannot make or manage
    anything. Browsers may use it from `origins`."""
    call = call_of(request)
    principal: Principal = call.principal
    key = principal.key
    if key is None or principal.token is not None:
        raise Forbidden("Only a key makes capability tokens.", code="key_required")
    _check_scopes(body.scopes)
    wanted = {name: restrictions.uniform(name, getattr(body, name)) for name in ("models", "origins", "memory_scopes")}
    _narrower(key, body, wanted)
    await _let_ask(principal, key, wanted["origins"] or ())
    token, claims = capabilities.mint(
        key,
        persona_id=body.persona_id,
        subject_id=body.subject_id,
        lifetime_s=body.ttl,
        scopes=[scope for scope in capabilities.SCOPES if scope in body.scopes],
        budget_micros=body.budget,
        **wanted,
    )
    shown = ids.public("tok", claims.id)
    call.read("token.created", shown, subject_id=body.subject_id, persona_id=body.persona_id)
    return 201, _out(token, claims)


@router.delete("/tokens/{token_id}", response=EndedTokenOut, summary="End a capability token")
@endpoint(scope=Scope.TOKENS_WRITE)
async def end_token(request: HttpRequest, token_id: str) -> EndedTokenOut:
    """It stops working on every worker within a second. `POST /v1/keys/{id}/revoke-tokens` ends all of a key."""
    call = call_of(request)
    principal: Principal = call.principal
    ended = await in_tenant(
        principal.ref,
        tokenends.end,
        ids.parse("tok", token_id),
        actor=principal.actor,
        request_id=call.request_id,
    )
    await directory.load()
    return EndedTokenOut(id=token_id, ended_at=ended)


async def _let_ask(principal: Principal, key: ApiKey, origins: Sequence[str]) -> None:
    """See to it that preflights from these origins pass, before a page can send one. What the key lists is known."""
    new = [one for one in directory.tokens.needs_origins(key.org_id, origins) if one not in (key.origins or ())]
    if new:
        await in_tenant(principal.ref, tokenends.allow_origins, new)
        await directory.load()


def _check_scopes(scopes: Sequence[str]) -> None:
    allowed = ", ".join(capabilities.SCOPES)
    problems = tuple(
        FieldProblem(f"#/scopes/{index}", "scope_not_for_tokens", f"a token can have {allowed}")
        for index, scope in enumerate(scopes)
        if scope not in capabilities.SCOPES
    )
    if problems:
        raise BadRequest(f"scopes: {problems[0].message}.", code="scope_not_for_tokens", problems=problems)


def _narrower(key: ApiKey, body: CapabilityTokenIn, wanted: dict[str, Any]) -> None:
    """Raise Forbidden for anything that the key itself may not do."""
    asked = {
        "persona_ids": [body.persona_id],
        "subject_ids": [body.subject_id],
        "scopes": body.scopes,
        **{name: values for name, values in wanted.items() if values is not None},
    }
    for name, values in asked.items():
        own = getattr(key, name)
        if restrictions.wider(name, values, own):
            raise Forbidden(
                f"This key is limited in {name}; its tokens can only be narrower.",
                code="token_too_wide",
                extra={"field": name, "allowed": sorted(own)},
            )
    if body.budget is not None and key.budget is not None and body.budget > key.budget.limit_micros:
        raise Forbidden(
            f"This key may spend {key.budget.limit_micros} micro-dollars a {key.budget.window}; its tokens no more.",
            code="token_too_wide",
            extra={"field": "budget", "allowed": key.budget.limit_micros},
        )


def _out(token: str, claims: Claims) -> CapabilityTokenOut:
    def listed(values: tuple[str, ...] | None) -> list[str] | None:
        return None if values is None else list(values)

    return CapabilityTokenOut(
        id=ids.public("tok", claims.id),
        token=token,
        expires_at=claims.expires_at,
        persona_id=claims.persona_id,
        subject_id=claims.subject_id,
        scopes=list(claims.scopes),
        memory_scopes=listed(claims.memory_scopes),
        models=listed(claims.models),
        origins=listed(claims.origins),
        budget=claims.budget_micros,
    )
