"""Single sign-on for whoever is not signed in yet: does this address use it, and the session behind a code."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core.endpoint import call_of, endpoint
from gateway.platform.admission import gate
from gateway.platform.admission.types import RateLimit
from gateway.surfaces.v1.schemas.sso import DiscoveredOrganizationOut, DiscoveredOut, ExchangedOut, ExchangeIn
from tenants.accounts.address import client_address
from tenants.context import in_public
from tenants.sso import addresses, selectors, signin

router = Router(tags=["sso"])
_LOOKS, _CODES = RateLimit(60, 60), RateLimit(60, 60)
_Email = Annotated[str, Query(min_length=3, max_length=254)]


@router.get("/sso/discover", response=DiscoveredOut, summary="Whether an e-mail address signs in by SSO")
@endpoint(scope=None, public=True)
async def discover_sso(request: HttpRequest, email: _Email) -> DiscoveredOut:
    """Looks at the address's domain alone: the answer is the same whether or not the person exists."""
    await gate.admit_stranger(call_of(request), "address", f"sso|{client_address(request)}", _LOOKS)
    found = await in_public(selectors.connection_for, email)
    if found is None:
        return DiscoveredOut(sso=False, organization=None, start_url=None)
    organization = DiscoveredOrganizationOut(slug=found.slug, name=found.name)
    return DiscoveredOut(sso=True, organization=organization, start_url=addresses.start(found.slug))


@router.post("/auth/sso/exchange", response=ExchangedOut, summary="Trade a sign-in's code for its session")
@endpoint(scope=None, public=True)
async def exchange_code(request: HttpRequest, body: ExchangeIn) -> ExchangedOut:
    """The code comes with the browser's return from the identity provider; it lives a minute and works once. `verifier`
    is needed when the sign-in began with a challenge."""
    await gate.admit_stranger(call_of(request), "address", f"sso-code|{client_address(request)}", _CODES)
    session = await in_public(signin.exchange, body.code, body.verifier, request)
    return ExchangedOut(session_token=session.token, organization=session.slug, expires_at=session.expires_at)
