"""``/v1/organizations``: a person's own organizations. They are built by a worker; poll one for its state."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from gateway.core.endpoint import call_of, endpoint
from gateway.core.pagination import check_limit, decode_cursor
from gateway.surfaces.v1.schemas.people import OrganizationIn, OrganizationOut, OrganizationPageOut
from tenants.context import in_public
from tenants.people import organizations
from tenants.types import Account

router = Router(tags=["organizations"])


@router.get("/organizations", response=OrganizationPageOut, summary="List one's organizations, newest first")
@endpoint(scope=None, account=True)
async def list_organizations(
    request: HttpRequest, limit: int | None = None, cursor: str | None = None
) -> OrganizationPageOut:
    account: Account = call_of(request).account
    page = await in_public(
        organizations.list_page, account.person.id, limit=check_limit(limit), after=decode_cursor(cursor)
    )
    return OrganizationPageOut(data=[OrganizationOut.of(mine) for mine in page.data], next_cursor=page.next_cursor)


@router.post("/organizations", response={201: OrganizationOut}, summary="Make an organization")
@endpoint(scope=None, account=True)
async def create_organization(request: HttpRequest, body: OrganizationIn) -> tuple[int, OrganizationOut]:
    """The caller becomes its owner. It is `provisioning` until a worker has built it, mostly in under a second."""
    account: Account = call_of(request).account
    made = await in_public(organizations.create, account.person.id, name=body.name, slug=body.slug)
    return 201, OrganizationOut.of(made)


@router.get("/organizations/{slug}", response=OrganizationOut, summary="One of one's organizations")
@endpoint(scope=None, account=True)
async def get_organization(request: HttpRequest, slug: str) -> OrganizationOut:
    account: Account = call_of(request).account
    return OrganizationOut.of(await in_public(organizations.get, account.person.id, slug))


@router.post("/organizations/{slug}/retry", response=OrganizationOut, summary="Build a failed organization again")
@endpoint(scope=None, account=True)
async def retry_organization(request: HttpRequest, slug: str) -> OrganizationOut:
    account: Account = call_of(request).account
    return OrganizationOut.of(await in_public(organizations.retry, account.person.id, slug))
