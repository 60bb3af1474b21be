"""Addresses of sign-in and account pages."""

from __future__ import annotations

from django.urls import path
from django.views.generic.base import RedirectView

from console.auth import invite, password, second_factor, sign_in, sign_up, sso, sudo, verify
from console.auth.account import closing, passkeys, profile, recovery, security, sessions, shortcuts, totp

_ACCOUNT = "account/security"
urlpatterns = [
    path("signup", sign_up.sign_up, name="signup"),
    path("signup/organization", sign_up.suggest_organization, name="signup_organization"),
    path("verify", verify.verify, name="verify"),
    path("verify/resend", verify.resend, name="verify_resend"),
    path("verify/link", verify.follow_link, name="verify_link"),
    path("login", sign_in.sign_in, name="login"),
    path("login/passkey", sign_in.passkey, name="login_passkey"),
    path("login/passkey/options", sign_in.passkey_options, name="login_passkey_options"),
    path("login/mfa", second_factor.second_factor, name="login_mfa"),
    path("login/mfa/passkey", second_factor.passkey, name="login_mfa_passkey"),
    path("login/mfa/passkey/options", second_factor.passkey_options, name="login_mfa_passkey_options"),
    path("login/recovery", second_factor.recovery, name="login_recovery"),
    path("login/sso", sso.sso, name="login_sso"),
    path("logout", sign_in.sign_out, name="logout"),
    path("password/forgot", password.forgot, name="password_forgot"),
    path("password/reset", password.reset, name="password_reset"),
    path("invite/<str:token>", invite.invite, name="invite"),
    path("account", RedirectView.as_view(pattern_name="console:account_profile")),
    path("account/profile", profile.profile, name="account_profile"),
    path("account/email", profile.email, name="account_email"),
    path("account/email/cancel", profile.cancel_email, name="account_email_cancel"),
    path("account/delete", closing.delete, name="account_delete"),
    path("account/reauthenticate", sudo.reauthenticate, name="account_reauthenticate"),
    path("account/reauthenticate/options", sudo.passkey_options, name="account_reauthenticate_options"),
    path(_ACCOUNT, security.security, name="account_security"),
    path(f"{_ACCOUNT}/password", security.password, name="account_password"),
    path(f"{_ACCOUNT}/off", security.off, name="account_security_off"),
    path(f"{_ACCOUNT}/totp", totp.set_up, name="account_totp"),
    path(f"{_ACCOUNT}/totp/remove", totp.remove, name="account_totp_remove"),
    path(f"{_ACCOUNT}/recovery-codes", recovery.recovery, name="account_recovery"),
    path(f"{_ACCOUNT}/recovery-codes/download", recovery.download, name="account_recovery_download"),
    path(f"{_ACCOUNT}/passkeys/new", passkeys.add, name="account_passkey_add"),
    path(f"{_ACCOUNT}/passkeys/options", passkeys.options, name="account_passkey_options"),
    path(f"{_ACCOUNT}/passkeys/<int:number>", passkeys.one, name="account_passkey"),
    path(f"{_ACCOUNT}/passkeys/<int:number>/remove", passkeys.remove, name="account_passkey_remove"),
    path("account/sessions", sessions.sessions, name="account_sessions"),
    path("account/sessions/end", sessions.end, name="account_sessions_end"),
    path("account/shortcuts", shortcuts.shortcuts, name="account_shortcuts"),
]
