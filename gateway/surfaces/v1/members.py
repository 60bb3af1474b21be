"""``/v1/members``: who belongs to the organization, and in which role."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.governance.access import rules
from gateway.governance.access.types import Resource
from gateway.surfaces.v1.schemas.people import MemberIn, MemberOut, MemberPageOut, RemovedOut
from tenants.context import in_tenant
from tenants.people import members
from tenants.types import Principal

router = Router(tags=["members"])


@router.get("/members", response=MemberPageOut, summary="List members, the first one first")
@endpoint(scope=Scope.MEMBERS_READ)
async def list_members(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> MemberPageOut:
    ref = call_of(request).principal.ref
    page = await in_tenant(ref, members.list_page, ref, limit=check_limit(limit), after=decode_cursor(cursor))
    return MemberPageOut(data=[MemberOut.of(member) for member in page.data], next_cursor=page.next_cursor)


@router.patch("/members/{user_id}", response=MemberOut, summary="Give a member another role")
@endpoint(scope=Scope.MEMBERS_WRITE)
async def change_member(request: HttpRequest, user_id: str, body: MemberIn) -> MemberOut:
    """Takes effect on every worker within a second. Only an owner makes or changes an owner."""
    call = call_of(request)
    principal: Principal = call.principal
    changed = await in_tenant(
        principal.ref,
        members.change_role,
        principal.ref,
        ids.parse("usr", user_id),
        body.role,
        actor=principal.actor,
        permit=lambda role: rules.require(principal, "members.change", Resource(role=role)),
        request_id=call.request_id,
    )
    return MemberOut.of(changed)


@router.delete("/members/{user_id}", response=RemovedOut, summary="Remove a member, or leave")
@endpoint(scope=None)
async def remove_member(
    request: HttpRequest,
    user_id: str,
    hand_over_to: Annotated[str | None, Query(max_length=40, description="usr_… who answers for the keys")] = None,
) -> RemovedOut:
    """Anybody may leave; removing others takes `members:write`. The person's keys keep working: they go to
    `hand_over_to`, else to the caller, and when one leaves to an owner."""
    call = call_of(request)
    principal: Principal = call.principal
    leaving = ids.parse("usr", user_id)
    myself = principal.user_id
    if leaving != myself:
        rules.require(principal, "members.remove")
    heir: UUID | None = None if leaving == myself else myself
    removed = await in_tenant(
        principal.ref,
        members.remove,
        principal.ref,
        leaving,
        actor=principal.actor,
        permit=lambda role: _may_remove(principal, leaving, role),
        hand_over_to=ids.parse("usr", hand_over_to) if hand_over_to else heir,
        request_id=call.request_id,
    )
    return RemovedOut(
        removed=user_id,
        keys_handed_over=removed.keys,
        to=ids.public("usr", removed.to) if removed.to else None,
    )


def _may_remove(principal: Principal, leaving: UUID, role: str) -> None:
    if leaving != principal.user_id:
        rules.require(principal, "members.remove", Resource(role=role))
