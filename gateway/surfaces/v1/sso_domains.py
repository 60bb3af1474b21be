"""``/v1/sso/domains``: whose mail domains these are, proved by a record in the DNS."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.surfaces.v1.schemas.sso import DomainIn, DomainOut, DomainsOut
from tenants.context import in_tenant
from tenants.sso import dns, domains, selectors
from tenants.sso.types import FEATURE

router = Router(tags=["sso"])


@router.get("/sso/domains", response=DomainsOut, summary="The organization's mail domains")
@endpoint(scope=Scope.SSO_WRITE)
async def list_domains(request: HttpRequest) -> DomainsOut:
    ref = call_of(request).principal.ref
    found = await in_tenant(ref, selectors.domains, ref.id)
    return DomainsOut(data=[DomainOut.of(one) for one in found])


@router.post("/sso/domains", response={201: DomainOut}, summary="Claim a mail domain")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def add_domain(request: HttpRequest, body: DomainIn) -> tuple[int, DomainOut]:
    """It counts once its TXT record is found. Domains where anybody can have an address are refused."""
    call = call_of(request)
    principal = call.principal
    made = await in_tenant(
        principal.ref, domains.add, principal.ref, body.domain, actor=principal.actor, request_id=call.request_id
    )
    return 201, DomainOut.of(made)


@router.post("/sso/domains/{domain_id}/verify", response=DomainOut, summary="Look for the domain's record")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def verify_domain(request: HttpRequest, domain_id: str) -> DomainOut:
    call = call_of(request)
    principal, key = call.principal, ids.parse("dom", domain_id)
    claimed = await in_tenant(principal.ref, selectors.domain, principal.ref, key)
    records = await dns.texts(claimed.record_name) if claimed.verified_at is None else ()
    verified = await in_tenant(
        principal.ref, domains.verify, principal.ref, key, records, actor=principal.actor, request_id=call.request_id
    )
    return DomainOut.of(verified)


@router.delete("/sso/domains/{domain_id}", response={204: None}, summary="Give a domain up")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def remove_domain(request: HttpRequest, domain_id: str) -> tuple[int, None]:
    call = call_of(request)
    principal = call.principal
    await in_tenant(
        principal.ref, domains.remove, principal.ref, ids.parse("dom", domain_id),
        actor=principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return 204, None
