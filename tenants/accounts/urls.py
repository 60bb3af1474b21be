"""``/_allauth/``: the headless API for apps. ``/accounts/``: the redirects and callbacks of single sign-on."""

from __future__ import annotations

from typing import Any

from allauth.headless.constants import Client
from django.urls import include, path

from tenants.accounts import views

_OURS: dict[str, Any] = {
    "auth/email/verify": views.VerifyEmailView,
    "auth/2fa/authenticate": views.AuthenticateView,
    "auth/2fa/reauthenticate": views.ReauthenticateView,
    "auth/2fa/trust": views.TrustView,
    "auth/webauthn/login": views.LoginWebAuthnView,
    "auth/webauthn/authenticate": views.AuthenticateWebAuthnView,
    "auth/webauthn/reauthenticate": views.ReauthenticateWebAuthnView,
    "account/authenticators/totp": views.ManageTotpView,
    "account/authenticators/webauthn": views.ManageWebAuthnView,
}

urlpatterns = [
    *(path(f"_allauth/app/v1/{route}", view.as_api_view(client=Client.APP)) for route, view in _OURS.items()),
    path("_allauth/", include("allauth.headless.urls")),
    path("accounts/", include("tenants.sso.urls")),
]
