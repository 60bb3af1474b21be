"""``/v1/sso``: an organization's single sign-on, set up, tested and enforced. For people who manage it, never for a
key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from ninja import Router

from gateway.core import clock, ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.platform.flags import catalogue
from gateway.surfaces.v1.schemas.sso import (
    ConnectionOut,
    DomainOut,
    EnforceIn,
    OidcIn,
    PlanOut,
    SamlIn,
    SsoIn,
    SsoOut,
    TestStartedOut,
    service_provider,
)
from tenants.context import in_tenant
from tenants.sso import addresses, configuration, metadata, selectors, services, signin
from tenants.sso.errors import invalid, not_configured
from tenants.sso.types import FEATURE, Connection
from tenants.types import OrgRef, Principal

router = Router(tags=["sso"])


@router.get("/sso", response=SsoOut, summary="Single sign-on of this organization")
@endpoint(scope=Scope.SSO_WRITE)
async def get_sso(request: HttpRequest) -> SsoOut:
    """The connection without its secret, what to tell the identity provider, the last test and the domains. Answers on
    every plan, also before anything is set up."""
    return await _shown(call_of(request).principal)


@router.put("/sso", response=SsoOut, summary="Set up or change the connection")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def put_sso(request: HttpRequest, body: SsoIn) -> SsoOut:
    """A changed connection must be tested again before anybody signs in by it. While single sign-on is enforced it
    cannot be changed."""
    call = call_of(request)
    secret = None
    if body.kind == "oidc":
        found, secret = _oidc(body.oidc), body.oidc.client_secret if body.oidc else None
    else:
        found = await _saml(call.principal.ref, body.saml)
    await _change(
        call, services.configure, kind=body.kind, settings=found, default_role=body.default_role, client_secret=secret
    )
    return await _shown(call.principal)


@router.post("/sso/test", response=TestStartedOut, summary="Begin a test that signs nobody in")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def test_sso(request: HttpRequest) -> TestStartedOut:
    """The whole way through the identity provider and back, in a tab of its own; what came back is kept as
    `connection.last_test`."""
    principal: Principal = call_of(request).principal
    connection = await in_tenant(principal.ref, selectors.connection_of, principal.ref.id)
    if connection is None:
        raise not_configured()
    token = await in_tenant(principal.ref, signin.begin_test, connection, principal.grant.id)
    ends = clock.now() + timedelta(seconds=signin.TEST_S)
    return TestStartedOut(test_url=addresses.start(connection.slug, test=token), expires_at=ends)


@router.post("/sso/enforce", response=SsoOut, summary="Let members in by single sign-on alone")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def enforce_sso(request: HttpRequest, body: EnforceIn) -> SsoOut:
    """Needs a successful test of exactly this configuration, a verified domain, and an owner who can still sign in with
    a password when the identity provider fails. Other sessions lose their access within a second."""
    call = call_of(request)
    owner = ids.parse("usr", body.break_glass_user_id)
    await _change(call, services.enforce, break_glass_user_id=owner, require_mfa=body.require_mfa)
    return await _shown(call.principal)


@router.post("/sso/disable", response=SsoOut, summary="Switch single sign-on off")
@endpoint(scope=Scope.SSO_WRITE, flag=FEATURE)
async def disable_sso(request: HttpRequest) -> SsoOut:
    """Passwords count again at once. The configuration stays; a later test makes it usable again."""
    call = call_of(request)
    await _change(call, services.disable)
    return await _shown(call.principal)


async def _change(call: Call, service: Any, **values: Any) -> Connection:
    principal: Principal = call.principal
    changed: Connection = await in_tenant(
        principal.ref, service, principal.ref, actor=principal.actor, request_id=call.request_id, **values
    )
    return changed


async def _shown(principal: Principal) -> SsoOut:
    organization = principal.organization
    connection = await in_tenant(principal.ref, selectors.connection_of, principal.ref.id)
    domains = await in_tenant(principal.ref, selectors.domains, principal.ref.id)
    included = selectors.is_included(organization)
    return SsoOut(
        connection=ConnectionOut.of(connection, included=included) if connection else None,
        service_provider=service_provider(organization.slug),
        sign_in_url=addresses.start(organization.slug),
        plan=PlanOut(included=included, needs=catalogue.needs_plan(FEATURE)),
        domains=[DomainOut.of(one) for one in domains],
    )


def _oidc(given: OidcIn | None) -> dict[str, Any]:
    if given is None:
        raise invalid("oidc", "is missing for this kind")
    return configuration.oidc(
        issuer=given.issuer, client_id=given.client_id, require_email_verified=given.require_email_verified
    )


async def _saml(ref: OrgRef, given: SamlIn | None) -> dict[str, Any]:
    if given is None:
        raise invalid("saml", "is missing for this kind")
    names = {"email_attribute": given.email_attribute, "name_attribute": given.name_attribute}
    if given.metadata_url is None and given.metadata_xml is None:
        return configuration.saml(
            entity_id=given.entity_id or "", sso_url=given.sso_url or "", certificates_given=given.certificates or [],
            **names,
        )  # fmt: skip
    if given.metadata_url is not None:
        configuration.address("saml/metadata_url", given.metadata_url, code="sso_metadata_invalid")
        document, pointer = await metadata.fetch(given.metadata_url), "saml/metadata_url"
    else:
        document, pointer = (given.metadata_xml or "").encode(), "saml/metadata_xml"
    found = await in_tenant(ref, metadata.parse, document, pointer=pointer)  # in a thread: it may be large
    return configuration.saml(
        entity_id=found.entity_id, sso_url=found.sso_url, certificates_given=found.certificates,
        metadata_url=given.metadata_url, **names,
    )  # fmt: skip
