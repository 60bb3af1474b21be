"""``/accounts/``: the redirects and callbacks of single sign-on, and nothing else."""

from __future__ import annotations

from django.urls import path

from tenants.sso import views

urlpatterns = [
    path("sso/<slug:slug>/start", views.start),
    path("oidc/<slug:slug>/login/callback/", views.oidc_callback),
    path("saml/<slug:slug>/acs/", views.acs),
    path("saml/<slug:slug>/acs/finish/", views.acs_finish),
    path("saml/<slug:slug>/metadata/", views.saml_metadata),
]
