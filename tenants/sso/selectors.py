"""Reads of connections and domains: rows in, ``tenants.sso.types`` out."""

from __future__ import annotations

from uuid import UUID

from gateway.core import crypto
from gateway.core.errors import NotFound
from tenants import plans
from tenants.sso.models import DomainRow, SsoConnectionRow
from tenants.sso.names import of_address
from tenants.sso.types import FEATURE, Connection, Domain, Rule, provider_id
from tenants.types import Organization, OrgRef


def connection_of(org_id: UUID) -> Connection | None:
    """The organization's connection, if it has one."""
    row = SsoConnectionRow.objects.select_related("organization").filter(organization_id=org_id).first()
    return to_connection(row) if row else None


def connection_by_slug(slug: str) -> Connection | None:
    """The connection of the organization with this slug: a ready one that is not suspended."""
    row = (
        SsoConnectionRow.objects.select_related("organization")
        .filter(organization__slug=slug, organization__state="ready", organization__suspended_at=None)
        .first()
    )
    return to_connection(row) if row else None


def client_secret(connection: Connection) -> crypto.Secret:
    """The secret of an OpenID Connect client, for the moment in which it is sent. Raises Unreadable."""
    row = SsoConnectionRow.objects.only("client_secret_ciphertext", "client_secret_kid").get(pk=connection.id)
    if row.client_secret_ciphertext is None:
        return crypto.Secret("")
    return crypto.unseal(bytes(row.client_secret_ciphertext), row.client_secret_kid, *sealed_at(row.pk))


def sealed_at(connection_id: UUID) -> tuple[str | UUID, ...]:
    """Where a client secret lives, for the seal that binds it there."""
    return ("tenants_sso_connection", connection_id, "client_secret")


def domains(org_id: UUID) -> tuple[Domain, ...]:
    """The organization's domains, oldest first."""
    return tuple(to_domain(row) for row in DomainRow.objects.filter(organization_id=org_id).order_by("id"))


def domain(ref: OrgRef, domain_id: UUID) -> Domain:
    """One domain of this organization. Another's does not exist here: NotFound."""
    row = DomainRow.objects.filter(organization_id=ref.id, pk=domain_id).first()
    if row is None:
        raise NotFound("There is no such domain.", code="domain_not_found")
    return to_domain(row)


def is_verified(org_id: UUID, email: str) -> bool:
    """Whether this organization has proved the domain of an address."""
    name = of_address(email)
    rows = DomainRow.objects.filter(organization_id=org_id, domain=name, verified_at__isnull=False)
    return name is not None and rows.exists()


def connection_for(email: str) -> Connection | None:
    """The connection that signs in people of this address's domain, if there is one in use."""
    name = of_address(email)
    row = DomainRow.objects.filter(domain=name, verified_at__isnull=False).first() if name else None
    found = connection_of(row.organization_id) if row else None
    return found if found and found.signs_in and connection_by_slug(found.slug) else None


def rules_since(version: int) -> tuple[Rule, ...]:
    """The rules that changed after a version of the directory."""
    return tuple(_rule(row) for row in SsoConnectionRow.objects.filter(version__gt=version))


def rule_of(org_id: UUID) -> Rule | None:
    """How sessions must have been opened for this organization."""
    row = SsoConnectionRow.objects.filter(organization_id=org_id).first()
    return _rule(row) if row else None


def _rule(row: SsoConnectionRow) -> Rule:
    named, enforced = provider_id(row.pk, row.kind, row.settings), row.state == SsoConnectionRow.State.ENFORCED
    return Rule(row.organization_id, named, enforced, row.break_glass_user_id)


def is_included(organization: Organization) -> bool:
    """Whether the plan (or the operator) gives this organization single sign-on."""
    return bool(organization.flags.get(FEATURE, FEATURE in plans.get(organization.plan).features))


def to_connection(row: SsoConnectionRow) -> Connection:
    return Connection(
        id=row.pk,
        ref=OrgRef(row.organization_id, row.organization.schema_name),
        slug=row.organization.slug,
        name=row.organization.name,
        kind=row.kind,
        settings=row.settings,
        has_secret=row.client_secret_ciphertext is not None,
        state=row.state,
        config_hash=row.config_hash,
        tested_config_hash=row.tested_config_hash,
        last_test=row.last_test,
        break_glass_user_id=row.break_glass_user_id,
        default_role=row.default_role,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_domain(row: DomainRow) -> Domain:
    return Domain(row.pk, row.domain, row.token, row.verified_at, row.created_at)
