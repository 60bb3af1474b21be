"""Allauth's two providers, fitted to connections. Allauth finds them here by the app's name."""

from __future__ import annotations

from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.http import HttpRequest

from tenants.sso.oidc import ConnectionAdapter


class OrganizationOidc(OpenIDConnectProvider):  # type: ignore[misc]
    """OpenID Connect to one organization's issuer: always with PKCE, never by a token from elsewhere."""

    supports_token_authentication = False
    pkce_enabled_default = True

    def get_oauth2_adapter(self, request: HttpRequest) -> ConnectionAdapter:
        return ConnectionAdapter(request, self)


class OrganizationSaml(SAMLProvider):  # type: ignore[misc]
    """SAML to one organization's identity provider; ``tenants.sso.saml`` speaks the protocol."""

    supports_redirect = False


provider_classes = [OrganizationOidc, OrganizationSaml]
