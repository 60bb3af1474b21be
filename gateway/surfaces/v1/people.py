"""A person and what they may: trading a session for a user token, their account, ``/v1/me/permissions``."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import call_of, endpoint
from gateway.core.errors import Unauthenticated
from gateway.governance.access import rules
from gateway.platform.admission import gate
from gateway.platform.admission.types import RateLimit
from gateway.surfaces.v1.schemas.people import (
    AccountDeletedOut,
    AccountDeleteIn,
    AccountIn,
    PermissionsOut,
    PersonOut,
    TokenIn,
    TokenOrganizationOut,
    TokenOut,
)
from tenants import usertokens
from tenants.accounts.address import client_address
from tenants.context import in_public
from tenants.people import profile, roles, signin
from tenants.types import Account, Person, Principal

router = Router(tags=["account"])
# A console trades once in four minutes for each organization that somebody looks at; many people may share an address.
_PER_ADDRESS, _PER_SESSION = RateLimit(1_200, 60), RateLimit(60, 60)
# Each attempt may be a guess at the password.
_DELETIONS = RateLimit(5, 300)


@router.post("/auth/token", response=TokenOut, summary="Trade a session for a user token of five minutes")
@endpoint(scope=None, public=True)
async def trade_token(request: HttpRequest, body: TokenIn | None = None) -> TokenOut:
    """Send the session token of a signed-in person as `X-Session-Token` (or `Authorization: Bearer`). The token is for
    one organization, or for none; a membership that ends, ends the token within a second."""
    call = call_of(request)
    session_token = _session_token(request)
    address = client_address(request)
    await gate.admit_stranger(call, "address", address, _PER_ADDRESS)
    await gate.admit_stranger(call, "session", f"{address}|{session_token}", _PER_SESSION)
    traded = await in_public(signin.trade, session_token, body.organization if body else None)
    organization = None
    if traded.organization is not None and traded.role is not None:
        found = traded.organization
        organization = TokenOrganizationOut(
            id=found.ref.public_id, slug=found.slug, name=found.name, plan=found.plan, role=traded.role
        )
    return TokenOut(
        token=traded.token,
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_at=traded.expires_at,
        expires_in=usertokens.LIFETIME_S,
        user=PersonOut(id=ids.public("usr", traded.user.pk), email=traded.user.email, name=traded.user.name),
        organization=organization,
    )


@router.get("/me/permissions", response=PermissionsOut, summary="What this caller may do here", tags=["about"])
@endpoint(scope=None)
async def permissions(request: HttpRequest) -> PermissionsOut:
    """For a person what their role allows at this moment, for a key what it was given. The gateway decides every call
    by the same rules; this is for showing and hiding buttons."""
    principal: Principal = call_of(request).principal
    decided = rules.permissions(principal)
    held = principal.grant.scopes
    return PermissionsOut(
        role=principal.role,
        scopes=list(roles.KEY_SCOPES if held is None else held),
        actions={action: decision.allowed for action, decision in decided.items()},
        why={action: decision.why for action, decision in decided.items() if not decision.allowed},
    )


@router.get("/account", response=PersonOut, summary="The signed-in person")
@endpoint(scope=None, account=True)
async def get_account(request: HttpRequest) -> PersonOut:
    account: Account = call_of(request).account
    return _shown(account.person)


@router.patch("/account", response=PersonOut, summary="Change one's name")
@endpoint(scope=None, account=True)
async def rename_account(request: HttpRequest, body: AccountIn) -> PersonOut:
    account: Account = call_of(request).account
    return _shown(await in_public(profile.rename, account, body.name))


@router.delete("/account", response=AccountDeletedOut, summary="Delete one's account")
@endpoint(scope=None, account=True)
async def delete_account(request: HttpRequest, body: AccountDeleteIn | None = None) -> AccountDeletedOut:
    """Needs the password, or a sign-in or re-authentication of the last five minutes. Address, name and credentials are
    erased, sessions and memberships end at once; keys go to an owner of each organization."""
    call = call_of(request)
    account: Account = call.account
    await gate.admit_stranger(call, "account", f"delete:{account.person.id}", _DELETIONS)
    password = body.password if body else None
    await in_public(profile.delete, account, password=password, request_id=call.request_id)
    return AccountDeletedOut(deleted=account.person.public_id)


def _session_token(request: HttpRequest) -> str:
    named: str = request.META.get("HTTP_X_SESSION_TOKEN", "")
    kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    found = named or (token.strip() if kind.lower() == "bearer" else "")
    if not found:
        raise Unauthenticated("Send the session's token: X-Session-Token: …", code="session_invalid")
    return found


def _shown(person: Person) -> PersonOut:
    return PersonOut(id=person.public_id, email=person.email, name=person.name)
