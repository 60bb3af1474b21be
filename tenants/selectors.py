"""Reads of the directory: rows in, ``tenants.types`` out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q

from gateway.core import clock, ids
from gateway.core.errors import NotFound
from gateway.core.pagination import Page, page
from tenants import killswitch, tokenstate
from tenants.models import ApiKeyRow, EndedSessionRow, MembershipRow, OrganizationRow, User
from tenants.people.sessions import KEPT
from tenants.rules import Disconnect, KeyBudget, KeyRate, rule_of, settings_of
from tenants.sso.selectors import rules_since
from tenants.sso.types import Rule
from tenants.types import ApiKey, Membership, Organization, OrgRef, Person


@dataclass(frozen=True, slots=True)
class DirectoryChanges:
    """All of the directory above a version, and the version it brings the reader to.

    None in place of a person is an account that is no longer active; in place of a membership, one that ended.
    """

    version: int
    organizations: tuple[Organization, ...]
    keys: tuple[ApiKey, ...]
    people: tuple[tuple[UUID, Person | None], ...]
    memberships: tuple[tuple[UUID, UUID, Membership | None], ...]
    ended_sessions: tuple[tuple[str, datetime], ...]
    sso: tuple[Rule, ...]
    kills: tuple[tuple[str, killswitch.Kill | None], ...] = ()
    tokens: tokenstate.TokenChanges = field(default_factory=tokenstate.TokenChanges)


_VERSIONED = ("organization", "api_key", "user", "membership", "ended_session", "sso_connection", "kill_switch",
              "ended_token", "token_origin")  # fmt: skip
_REACHED = "SELECT greatest({})".format(
    ", ".join(f"(SELECT coalesce(max(version), 0) FROM public.tenants_{table})" for table in _VERSIONED)  # noqa: S608
)


def directory_since(version: int) -> DirectoryChanges:
    """What changed after ``version``; everything for -1. Reads the target version first, so nothing is skipped."""
    reached = directory_version()
    people = User.objects.filter(version__gt=version)
    memberships = MembershipRow.objects.filter(version__gt=version)
    ended = EndedSessionRow.objects.filter(version__gt=version, ended_at__gt=clock.now() - KEPT)
    if version < 0:  # who is not there yet need not be taken out
        people, memberships = people.filter(is_active=True), memberships.filter(removed_at=None)
    return DirectoryChanges(
        reached,
        tuple(to_organization(row) for row in OrganizationRow.objects.filter(version__gt=version)),
        tuple(to_key(row) for row in ApiKeyRow.objects.filter(version__gt=version)),
        tuple(
            (user_id, Person(user_id, email, name, after, created_at) if active else None)
            for user_id, email, name, after, created_at, active in people.values_list(
                "id", "email", "name", "tokens_valid_after", "created_at", "is_active"
            )
        ),
        tuple(
            (user_id, org_id, None if removed_at else Membership(user_id, org_id, role))
            for user_id, org_id, role, removed_at in memberships.values_list(
                "user_id", "organization_id", "role", "removed_at"
            )
        ),
        tuple(ended.values_list("sid", "ended_at")),
        rules_since(version),
        killswitch.changed_since(version),
        tokenstate.changed_since(version),
    )


def directory_version() -> int:
    """The highest version that is committed."""
    with connection.cursor() as cursor:
        cursor.execute(_REACHED)
        reached: int = cursor.fetchone()[0]
    return reached


def organization(org_id: UUID) -> Organization | None:
    """One organization by id, in any state."""
    row = OrganizationRow.objects.filter(pk=org_id).first()
    return to_organization(row) if row else None


def signed_up_at(ref: OrgRef) -> datetime | None:
    """When the person who made the organization signed up; None for one that the operator made."""
    maker = OrganizationRow.objects.filter(pk=ref.id).values_list("created_by_user_id", flat=True).first()
    return User.objects.filter(pk=maker).values_list("created_at", flat=True).first() if maker else None


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


def keys_page(
    ref: OrgRef, *, limit: int, after: UUID | None, state: str | None = None, query: str | None = None
) -> Page[ApiKey]:
    """One organization's keys, newest first; ``query`` is part of a name, or of a key up to its secret."""
    rows = ApiKeyRow.objects.filter(organization_id=ref.id).order_by("-id")
    if state is not None:
        rows = rows.filter(_in_state(state))
    if query:
        public = query.removeprefix("ik_live_").removeprefix("ik_test_").partition("_")[0]
        rows = rows.filter(Q(name__icontains=query) | Q(public__startswith=public))
    if after:
        rows = rows.filter(Q(id__lt=after))
    return page([to_key(row) for row in rows[: limit + 1]], limit)


def _in_state(state: str) -> Q:
    """``ApiKey.state_at`` as a condition."""
    now = clock.now()
    expired, rotating = Q(expires_at__lte=now), Q(previous_valid_until__gt=now)
    alive = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    return {
        "revoked": Q(revoked_at__isnull=False),
        "expired": Q(revoked_at=None) & expired,
        "rotating": alive & rotating,
        "active": alive & (Q(previous_valid_until=None) | Q(previous_valid_until__lte=now)),
    }[state]


def first_key_at(ref: OrgRef) -> datetime | None:
    """When the organization's first key was made; None while there is none."""
    rows = ApiKeyRow.objects.filter(organization_id=ref.id).order_by("id")
    return rows.values_list("created_at", flat=True).first()


def key(ref: OrgRef, key_id: UUID) -> ApiKey:
    """One key of this organization. Another organization's key does not exist here: NotFound."""
    row = ApiKeyRow.objects.filter(organization_id=ref.id, pk=key_id).first()
    if row is None:
        raise NotFound("There is no such key.", code="key_not_found")
    return to_key(row)


def keys_owned(ref: OrgRef, user_id: UUID) -> list[str]:
    """The public ids of the keys that a person answers for in this organization, revoked ones too."""
    rows = ApiKeyRow.objects.filter(organization_id=ref.id, owner_user_id=user_id)
    return [ids.public("key", key_id) for key_id in rows.values_list("id", flat=True)]


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
        rules=tuple(rule_of(rule) for rule in row.rules or ()),
        settings=settings_of(row.settings),
        closes_at=row.closes_at,
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
        owner_user_id=row.owner_user_id,
        models=listed(row.allowed_models),
        origins=listed(row.origins),
        ip_ranges=listed(row.ip_ranges),
        rate=KeyRate(**row.rate) if row.rate else None,
        budget=KeyBudget(**row.budget) if row.budget else None,
        on_disconnect=row.on_disconnect or Disconnect.CANCEL,
        cache_s=row.cache_s,
        token_epoch=row.token_epoch,
        revoked_version=row.revoked_version,
        team_ids=listed(row.team_ids) or (),
    )
