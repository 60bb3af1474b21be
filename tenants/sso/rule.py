"""Whether a session may be used for an organization, decided by how it was opened. Without I/O: every call asks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from gateway.core.errors import Forbidden
from tenants.sso import addresses
from tenants.sso.selectors import is_included
from tenants.sso.types import Rule
from tenants.types import Organization

_SSO_ALONE = frozenset({"sso"})


def require(organization: Organization, rule: Rule | None, *, user_id: UUID, by: Sequence[str]) -> None:
    """Refuse a session that did not come by the organization's single sign-on while that is enforced (and in the plan).
    ``by``: the connections it came by. Raises Forbidden ``sso_required``."""
    if rule is None or not rule.enforced or not is_included(organization):
        return
    if rule.provider not in by and user_id != rule.break_glass_user_id:
        raise Forbidden(
            f"{organization.name} lets its members in by single sign-on alone.",
            code="sso_required",
            extra={"organization": organization.slug, "sso_url": addresses.start(organization.slug)},
        )


def refuse_stranger(organization: Organization, rule: Rule | None, *, amr: Sequence[str], by: Sequence[str]) -> None:
    """Refuse a session that another organization's provider alone vouches for: it speaks for its own organization only.
    Raises Forbidden ``sso_other_organization``."""
    if not amr or not set(amr) <= _SSO_ALONE:
        return
    own = rule.provider.partition(".")[0] if rule is not None else None
    if own is None or own not in {one.partition(".")[0] for one in by}:
        raise Forbidden(
            f"You signed in by another organization's single sign-on, which does not open {organization.name}.",
            code="sso_other_organization",
            extra={"organization": organization.slug},
        )
