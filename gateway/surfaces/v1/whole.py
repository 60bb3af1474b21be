"""What concerns the whole organization is not for a key that was narrowed to a part of it."""

from __future__ import annotations

from gateway.core.errors import Forbidden
from tenants.types import Principal


def whole_organization(principal: Principal) -> None:
    """Raise Forbidden for a key or token that is narrowed to personas or subjects."""
    if principal.grant.persona_ids is not None or principal.grant.subject_ids is not None:
        raise Forbidden(
            "A key that is narrowed to personas or subjects does not set what holds for the whole organization.",
            code="whole_organization_only",
        )
