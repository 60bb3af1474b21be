"""``/v1/invitations``: asking people in by link, and accepting."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.governance.access import rules
from gateway.governance.access.types import Resource
from gateway.platform.admission import gate
from gateway.platform.admission.types import RateLimit
from gateway.surfaces.v1.schemas.people import (
    AcceptedOut,
    AcceptIn,
    InvitationOut,
    InvitationPageOut,
    InvitationsIn,
    InvitationsOut,
    InvitedOut,
    TokenOrganizationOut,
)
from tenants.accounts.address import client_address
from tenants.context import in_public, in_tenant
from tenants.people import invitations
from tenants.types import Account, Principal

router = Router(tags=["invitations"])
_LOOKS = RateLimit(120, 60)


@router.get("/invitations", response=InvitationPageOut, summary="List invitations, newest first")
@endpoint(scope=Scope.MEMBERS_READ)
async def list_invitations(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> InvitationPageOut:
    ref = call_of(request).principal.ref
    page = await in_tenant(ref, invitations.list_page, ref, limit=check_limit(limit), after=decode_cursor(cursor))
    return InvitationPageOut(data=[InvitationOut.of(one) for one in page.data], next_cursor=page.next_cursor)


@router.post("/invitations", response={201: InvitationsOut}, summary="Invite people by link and mail")
@endpoint(scope=Scope.MEMBERS_WRITE)
async def create_invitations(request: HttpRequest, body: InvitationsIn) -> tuple[int, InvitationsOut]:
    """A link lives seven days and works once, for the invited address only. Its secret is in this answer and in the
    mail, and nowhere else. Inviting an address again ends its earlier link."""
    call = call_of(request)
    principal: Principal = call.principal
    rules.require(principal, "members.invite", Resource(role=body.role))
    made = await in_tenant(
        principal.ref,
        invitations.create,
        principal.ref,
        body.emails,
        body.role,
        invited_by=principal.grant.id,
        actor=principal.actor,
        request_id=call.request_id,
    )
    return 201, InvitationsOut(data=[InvitationOut.of(one) for one in made])


# Before the path with an id, which would match it as well.
@router.post("/invitations/accept", response=AcceptedOut, summary="Accept an invitation")
@endpoint(scope=None, account=True)
async def accept_invitation(request: HttpRequest, body: AcceptIn) -> AcceptedOut:
    """The account must have the invited address, verified."""
    call = call_of(request)
    account: Account = call.account
    _, organization = await in_public(invitations.by_token, body.token)
    role = await in_tenant(organization.ref, invitations.accept, body.token, account, request_id=call.request_id)
    shown = TokenOrganizationOut(
        id=organization.ref.public_id, slug=organization.slug, name=organization.name, plan=organization.plan, role=role
    )
    return AcceptedOut(organization=shown, role=role)


@router.delete("/invitations/{invitation_id}", response=InvitationOut, summary="Take an invitation back")
@endpoint(scope=Scope.MEMBERS_WRITE)
async def revoke_invitation(request: HttpRequest, invitation_id: str) -> InvitationOut:
    call = call_of(request)
    principal: Principal = call.principal
    revoked = await in_tenant(
        principal.ref,
        invitations.revoke,
        principal.ref,
        ids.parse("inv", invitation_id),
        actor=principal.actor,
        request_id=call.request_id,
    )
    return InvitationOut.of(revoked)


@router.get("/invitations/by-token/{token}", response=InvitedOut, summary="What an invitation's link is for")
@endpoint(scope=None, public=True)
async def show_invitation(request: HttpRequest, token: str) -> InvitedOut:
    """Needs no sign-in: the token is the secret part of the link."""
    await gate.admit_stranger(call_of(request), "address", f"invitation|{client_address(request)}", _LOOKS)
    invitation, organization = await in_public(invitations.by_token, token)
    return InvitedOut.of(invitation, organization)
