"""Reads of the directory: rows in, ``tenants.types`` out."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q

from gateway.core.errors import NotFound
from gateway.core.pagination import Page, page
from tenants.models import ApiKeyRow, OrganizationRow
from tenants.types import ApiKey, Organization, OrgRef


@dataclass(frozen=True, slots=True)
class DirectoryChanges:
    """All organizations and keys above a version, and the version they bring the reader to."""

    version: int
    organizations: tuple[Organization, ...]
    keys: tuple[ApiKey, ...]


def directory_since(version: int) -> DirectoryChanges:
    """What changed after ``version``; everything for -1. Reads the target version first, so nothing is skipped."""
    reached = directory_version()
    return DirectoryChanges(
        reached,
        tuple(to_organization(row) for row in OrganizationRow.objects.filter(version__gt=version)),
        tuple(to_key(row) for row in ApiKeyRow.objects.filter(version__gt=version)),
    )


def directory_version() -> int:
    """The highest version that is committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest((SELECT coalesce(max(version), 0) FROM public.tenants_organization),"
            " (SELECT coalesce(max(version), 0) FROM public.tenants_api_key))"
        )
        reached: int = cursor.fetchone()[0]
    return reached


def organization(org_id: UUID) -> Organization | None:
    """One organization by id, in any state."""
    row = OrganizationRow.objects.filter(pk=org_id).first()
    return to_organization(row) if row else None


def organization_by_slug(slug: str) -> Organization:
    """One organization by its label. Raises NotFound."""
    row = OrganizationRow.objects.filter(slug=slug).first()
    if row is None:
        raise NotFound(f"There is no organization {slug!r}.", code="organization_not_found")
    return to_organization(row)


def organizations(*, state: str | None = None) -> tuple[Organization, ...]:
    """All organizations, oldest first, optionally in one state."""
    rows = OrganizationRow.objects.order_by("id")
    return tuple(to_organization(row) for row in (rows.filter(state=state) if state else rows))


def keys_page(ref: OrgRef, *, limit: int, after: UUID | None) -> Page[ApiKey]:
    """One organization's keys, newest first."""
    rows = ApiKeyRow.objects.filter(organization_id=ref.id).order_by("-id")
    if after:
        rows = rows.filter(Q(id__lt=after))
    return page([to_key(row) for row in rows[: limit + 1]], limit)


def key(ref: OrgRef, key_id: UUID) -> ApiKey:
    """One key of this organization. Another organization's key does not exist here: NotFound."""
    row = ApiKeyRow.objects.filter(organization_id=ref.id, pk=key_id).first()
    if row is None:
        raise NotFound("There is no such key.", code="key_not_found")
    return to_key(row)


def to_organization(row: OrganizationRow) -> Organization:
    return Organization(
        ref=OrgRef(row.id, row.schema_name),
        slug=row.slug,
        name=row.name,
        plan=row.plan,
        state=row.state,
        suspended_at=row.suspended_at,
        flags=row.flags,
        limits=row.limits,
        version=row.version,
        created_at=row.created_at,
        failure=row.failure,
    )


def to_key(row: ApiKeyRow) -> ApiKey:
    def listed(values: list[str] | None) -> tuple[str, ...] | None:
        return None if values is None else tuple(values)

    return ApiKey(
        id=row.id,
        org_id=row.organization_id,
        public=row.public,
        name=row.name,
        mode=row.mode,
        persona_ids=listed(row.persona_ids),
        subject_ids=listed(row.subject_ids),
        memory_scopes=listed(row.memory_scopes),
        scopes=listed(row.scopes),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        rotated_at=row.rotated_at,
        previous_valid_until=row.previous_valid_until,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
        secret_sha256=bytes(row.secret_sha256),
        previous_sha256=bytes(row.previous_sha256) if row.previous_sha256 else None,
    )
