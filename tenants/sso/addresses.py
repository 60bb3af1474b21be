"""Our own addresses in single sign-on, by organization: what identity providers are told and where people begin."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings


def of(slug: str) -> dict[str, str]:
    """What an identity provider must know: ``redirect_uri`` (OpenID Connect); ``entity_id``, ``acs_url`` and
    ``metadata_url`` (SAML)."""
    saml = f"{settings.IKIRO_PUBLIC_URL}/accounts/saml/{slug}"
    return {
        "redirect_uri": f"{settings.IKIRO_PUBLIC_URL}/accounts/oidc/{slug}/login/callback/",
        "entity_id": f"{saml}/metadata/",
        "acs_url": f"{saml}/acs/",
        "metadata_url": f"{saml}/metadata/",
    }


def start(slug: str, **query: str) -> str:
    """Where a person of the organization signs in."""
    given = f"?{urlencode(query)}" if query else ""
    return f"{settings.IKIRO_PUBLIC_URL}/accounts/sso/{slug}/start{given}"
