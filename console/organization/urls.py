"""Addresses of an organization's pages."""

from __future__ import annotations

from django.urls import path

from console.organization import keys, making, members, providers, sso, start

urlpatterns = [
    path("organizations/new", making.new, name="organization-new"),
    path("organizations/<slug:slug>", making.progress, name="organization-progress"),
    path("organizations/<slug:slug>/retry", making.retry, name="organization-retry"),
    path("o/<slug:org>/start", start.start, name="start"),
    path("o/<slug:org>/start/run", start.run, name="start-run"),
    path("o/<slug:org>/keys", keys.keys, name="keys"),
    path("o/<slug:org>/keys/new", keys.new, name="key-new"),
    path("o/<slug:org>/keys/<slug:key_id>", keys.key, name="key"),
    path("o/<slug:org>/keys/<slug:key_id>/edit", keys.edit, name="key-edit"),
    path("o/<slug:org>/keys/<slug:key_id>/preview", keys.preview, name="key-preview"),
    path("o/<slug:org>/keys/<slug:key_id>/extend-grace", keys.extend_grace, name="key-extend-grace"),
    path("o/<slug:org>/keys/<slug:key_id>/revoke-tokens", keys.revoke_tokens, name="key-revoke-tokens"),
    path("o/<slug:org>/keys/<slug:key_id>/rotate", keys.rotate, name="key-rotate"),
    path("o/<slug:org>/keys/<slug:key_id>/end-grace", keys.end_grace, name="key-end-grace"),
    path("o/<slug:org>/keys/<slug:key_id>/revoke", keys.revoke, name="key-revoke"),
    path("o/<slug:org>/members", members.members, name="members"),
    path("o/<slug:org>/members/invite", members.invite, name="member-invite"),
    path(
        "o/<slug:org>/members/invitations/<slug:invitation_id>/take-back",
        members.take_back,
        name="invitation-take-back",
    ),
    path("o/<slug:org>/members/<slug:user_id>/role", members.change, name="member-role"),
    path("o/<slug:org>/members/<slug:user_id>/remove", members.remove, name="member-remove"),
    path("o/<slug:org>/providers", providers.providers, name="providers"),
    path("o/<slug:org>/providers/new", providers.new, name="provider-new"),
    path("o/<slug:org>/providers/aliases", providers.set_alias, name="alias-set"),
    path("o/<slug:org>/providers/aliases/remove", providers.remove_alias, name="alias-remove"),
    path("o/<slug:org>/providers/<slug:provider_id>/test", providers.test, name="provider-test"),
    path("o/<slug:org>/providers/<slug:provider_id>/rotate", providers.rotate, name="provider-rotate"),
    path("o/<slug:org>/providers/<slug:provider_id>/switch", providers.switch, name="provider-switch"),
    path("o/<slug:org>/providers/<slug:provider_id>/delete", providers.delete, name="provider-delete"),
    path("o/<slug:org>/sso", sso.sso, name="sso"),
    path("o/<slug:org>/sso/test", sso.test, name="sso-test"),
    path("o/<slug:org>/sso/enforce", sso.enforce, name="sso-enforce"),
    path("o/<slug:org>/sso/disable", sso.disable, name="sso-disable"),
    path("o/<slug:org>/sso/domains", sso.add_domain, name="sso-domain-add"),
    path("o/<slug:org>/sso/domains/<slug:domain_id>/verify", sso.verify_domain, name="sso-domain-verify"),
    path("o/<slug:org>/sso/domains/<slug:domain_id>/remove", sso.remove_domain, name="sso-domain-remove"),
]
