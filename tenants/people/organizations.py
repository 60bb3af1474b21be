"""A person's organizations: which they belong to, and the ones they make themselves."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from gateway.core.errors import Conflict, Forbidden, NotFound
from gateway.core.pagination import Page, page
from tenants import selectors, services
from tenants.models import MembershipRow, OrganizationRow, User
from tenants.people import members
from tenants.people.roles import Role
from tenants.provisioning import service as provisioning
from tenants.types import Organization

MAX_CREATED = 10
_WORDS = re.compile(r"[a-z0-9]+")
_OTHER_ENDINGS = 8


@dataclass(frozen=True, slots=True)
class Mine:
    """One of a person's organizations, in any state. ``steps`` are what building it takes, each with whether it is
    done; ``failure`` is what to tell its owner, never the cause's own words."""

    organization: Organization
    role: str
    steps: tuple[tuple[str, bool], ...]
    failure: str | None


def list_page(user_id: UUID, *, limit: int, after: UUID | None = None) -> Page[Mine]:
    """The person's organizations, newest first."""
    rows = _memberships(user_id).order_by("-organization_id")
    if after is not None:
        rows = rows.filter(organization_id__lt=after)
    return page([_mine(row) for row in rows[: limit + 1]], limit, key=lambda mine: mine.organization.ref.id)


def get(user_id: UUID, slug: str) -> Mine:
    """One of the person's organizations. Somebody else's does not exist: NotFound."""
    row = _memberships(user_id).filter(organization__slug=slug).first()
    if row is None:
        raise not_found(slug)
    return _mine(row)


def create(user_id: UUID, *, name: str, slug: str | None = None) -> Mine:
    """Make an organization with the person as its owner; a worker builds it. Without a slug one is made of the name.

    Raises BadRequest for a bad or reserved name, Conflict ``slug_taken`` or ``too_many_organizations``.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).filter(pk=user_id).values("pk").first()
        if OrganizationRow.objects.filter(created_by_user_id=user_id).count() >= MAX_CREATED:
            raise Conflict(
                f"One person can make {MAX_CREATED} organizations; ask the operator for more.",
                code="too_many_organizations",
            )
        made = services.organization_create(slug=slug or _free_slug(name), name=name, created_by_user_id=user_id)
        members.join(made.ref, user_id, Role.OWNER)
        provisioning.provision.send(str(made.ref.id))
    return get(user_id, made.slug)


def retry(user_id: UUID, slug: str) -> Mine:
    """Build a failed organization again. Raises Forbidden for a member who is no owner, Conflict ``org_not_failed``."""
    mine = get(user_id, slug)
    if mine.role != Role.OWNER:
        raise Forbidden("Only an owner can do this. Ask an owner.", code="owner_required")
    with transaction.atomic():
        provisioning.retry(mine.organization.ref)
    return get(user_id, slug)


def not_found(slug: str) -> NotFound:
    """The answer for an organization that is not there, and for one that is not the caller's: the same."""
    return NotFound(f"There is no organization {slug!r}.", code="organization_not_found")


def slug_of(name: str) -> str:
    """A slug that says what the name says, as far as the alphabet allows."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = "-".join(_WORDS.findall(plain)).lstrip("0123456789-")[:32].rstrip("-")
    return slug if len(slug) >= 2 and slug not in services.RESERVED else f"{slug or 'org'}-{_ending()}"


def _free_slug(name: str) -> str:
    slug = slug_of(name)
    candidates = [slug, *(f"{slug}-{_ending()}" for _ in range(_OTHER_ENDINGS))]
    taken = set(OrganizationRow.objects.filter(slug__in=candidates).values_list("slug", flat=True))
    return next((one for one in candidates if one not in taken), slug)


def _ending() -> str:
    return secrets.token_hex(2)


def _memberships(user_id: UUID) -> QuerySet[MembershipRow]:
    return MembershipRow.objects.filter(user_id=user_id, removed_at=None).select_related("organization")


def _mine(row: MembershipRow) -> Mine:
    made = row.organization
    done = set(made.steps_done)
    steps = tuple((name, name in done) for name in provisioning.steps())
    failure = None
    if made.state != OrganizationRow.State.READY and made.failure:
        at = next((name for name, is_done in steps if not is_done), "ready")
        again = "Try again" if made.state == OrganizationRow.State.FAILED else "It is tried again by itself"
        failure = (
            f"The step {at} did not work, {made.attempts} times so far. {again}; the cause is in the server's log."
        )
    return Mine(selectors.to_organization(made), row.role, steps, failure)
