"""`/v1/write-targets`: the servers that approved writes may reach. A secret goes in and never comes out again."""

from __future__ import annotations

import time

from django.http import HttpRequest
from ninja import Router

from gateway.core import egress
from gateway.core.crypto import Secret
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.errors import FieldProblem, GatewayError
from gateway.governance.proposals import targets
from gateway.governance.proposals.errors import InvalidTarget
from gateway.governance.proposals.executors import caldav, webhook
from gateway.governance.proposals.services import targets as services
from gateway.surfaces.v1.schemas.proposals import WriteTargetIn, WriteTargetOut, WriteTargetsOut, WriteTargetTestOut
from gateway.surfaces.v1.whole import whole_organization
from tenants.context import in_tenant

router = Router(tags=["proposals"])
_FLAG = "enable_proposals"


@router.get("/write-targets", response=WriteTargetsOut, summary="Where approved writes may go")
@endpoint(scope=Scope.POLICIES_READ, flag=_FLAG)
async def list_targets(request: HttpRequest) -> WriteTargetsOut:
    found = await in_tenant(call_of(request).principal.ref, targets.every)
    return WriteTargetsOut(data=[WriteTargetOut.of(target) for target in found])


@router.get("/write-targets/{name}", response=WriteTargetOut, summary="One target, without its secret")
@endpoint(scope=Scope.POLICIES_READ, flag=_FLAG)
async def get_target(request: HttpRequest, name: str) -> WriteTargetOut:
    return WriteTargetOut.of(await in_tenant(call_of(request).principal.ref, targets.get, name))


@router.put("/write-targets/{name}", response=WriteTargetOut, summary="Make or change a target")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def put_target(request: HttpRequest, name: str, body: WriteTargetIn) -> WriteTargetOut:
    """The address is checked at once against what the gateway may call. A new webhook target without a `secret` is
    given one, shown in this answer alone. Another address or user of a calendar needs its password with it."""
    call = call_of(request)
    whole_organization(call.principal)
    _fits(body)
    await _vet(body.url)
    caldav_kind = body.kind == "caldav"
    url = body.url if not caldav_kind or body.url.endswith("/") else f"{body.url}/"
    given = body.password if caldav_kind else body.secret
    target, made = await in_tenant(
        call.principal.ref, services.put, name, kind=targets.Kind(body.kind), url=url,
        username=(body.username or "") if caldav_kind else "", secret=Secret(given) if given is not None else None,
        actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    shown = WriteTargetOut.of(target)
    shown.secret = made.reveal() if made is not None else None
    return shown


@router.delete("/write-targets/{name}", response={204: None}, summary="Delete a target and its secret")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def delete_target(request: HttpRequest, name: str) -> tuple[int, None]:
    """Proposals that mean it fail from now on, and can be retried once it is there again."""
    call = call_of(request)
    whole_organization(call.principal)
    await in_tenant(call.principal.ref, services.delete, name, actor=call.principal.actor, request_id=call.request_id)
    return 204, None


@router.post("/write-targets/{name}/test", response=WriteTargetTestOut, summary="See whether a target works")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def try_target(request: HttpRequest, name: str) -> WriteTargetTestOut:
    """A webhook is sent a signed `ping`; a calendar is asked whether it is one and lets us in. Nothing is written."""
    call = call_of(request)
    whole_organization(call.principal)
    target, secret = await in_tenant(call.principal.ref, _with_secret, name)
    began = time.monotonic()
    failure: GatewayError | None = None
    try:
        if target.kind is targets.Kind.WEBHOOK:
            await webhook.ping(webhook.Receiver(target.name, target.url, secret))
        else:
            await caldav.check(caldav.Collection(target.name, target.url, target.username, secret))
    except GatewayError as error:
        failure = error
    code, detail = (failure.code, failure.detail) if failure is not None else (None, None)
    await in_tenant(
        call.principal.ref, services.note_test, target, ok=failure is None, code=code, actor=call.principal.actor,
        request_id=call.request_id,
    )  # fmt: skip
    latency_ms = round((time.monotonic() - began) * 1000)
    return WriteTargetTestOut(ok=failure is None, code=code, detail=detail, latency_ms=latency_ms)


def _with_secret(name: str) -> tuple[targets.Target, Secret]:
    target = targets.get(name)
    return target, target.secret()


def _fits(body: WriteTargetIn) -> None:
    """Raise InvalidTarget for a field of the other kind, which would be dropped without a word."""
    foreign = ("username", "password") if body.kind == "webhook" else ("secret",)
    problems = tuple(
        FieldProblem(f"#/{name}", "not_for_this_kind", f"is not for a {body.kind} target")
        for name in foreign
        if getattr(body, name) is not None
    )
    if body.kind == "caldav" and "?" in body.url:
        problems = (*problems, FieldProblem("#/url", "invalid", "is a collection's address, without a query"))
    if problems:
        raise InvalidTarget(f"{problems[0].pointer[2:]} {problems[0].message}.", problems=problems)


async def _vet(url: str) -> None:
    """A name that does not resolve now is no reason to refuse: each call is guarded anyway."""
    if "#" in url:
        raise InvalidTarget("url: no fragment.", problems=(FieldProblem("#/url", "invalid", "no fragment"),))
    try:
        await egress.check(url)
    except egress.ConnectFailed:
        return
    except egress.EgressRefused as error:
        problem = FieldProblem("#/url", "egress_refused", error.detail)
        raise InvalidTarget(error.detail, code="egress_refused", problems=(problem,)) from None
