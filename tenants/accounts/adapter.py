"""Allauth's account adapter: where it meets this product's mail, trail, sessions and throttling."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from gateway.core import clock
from tenants.accounts import links, mails
from tenants.accounts.address import client_address
from tenants.accounts.events import note
from tenants.accounts.limits import last_refusal, refused
from tenants.accounts.sessions import end_sessions
from tenants.models import User

_THROTTLED = frozenset({"too_many_login_attempts", "rate_limited"})
# What allauth tells a person by mail is what the trail keeps.
_NOTED = {
    "account/email/password_changed": "password_changed",
    "account/email/password_set": "password_changed",
    "account/email/password_reset": "password_reset",
    "account/email/email_changed": "email_changed",
    "account/email/email_deleted": "email_removed",
    "mfa/email/totp_activated": "totp_activated",
    "mfa/email/totp_deactivated": "totp_deactivated",
    "mfa/email/webauthn_added": "passkey_added",
    "mfa/email/webauthn_removed": "passkey_removed",
    "mfa/email/recovery_codes_generated": "recovery_codes_generated",
    "socialaccount/email/account_connected": "sso_connected",
    "socialaccount/email/account_disconnected": "sso_disconnected",
}


def display_name(user: User) -> str:
    """What a person is called where one line must do."""
    return user.name or user.email


class AccountAdapter(DefaultAccountAdapter):
    """See the methods: each replaces one of allauth's decisions."""

    # --- throttling -------------------------------------------------------------------------------------------

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def validation_error(self, code: str, *args: Any) -> Exception:
        """A throttled attempt is 429 with its end, not one field error among others."""
        if code in _THROTTLED:
            raise ImmediateHttpResponse(refused(last_refusal()))
        error: Exception = super().validation_error(code, *args)
        return error

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count by address alone: allauth adds the Host header, which the caller chooses."""
        return str(credentials.get("email", "")).lower()

    # --- signing in and out -----------------------------------------------------------------------------------

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """One row whether or not there is such an account, so that both answers cost the same."""
        email = str(credentials.get("email", "")).lower()
        found = EmailAddress.objects.filter(email=email).values_list("user_id", flat=True).first()
        note("sign_in_failed", found, request=request)

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        used = sorted({record.get("type", record["method"]) for record in get_authentication_records(request, user)})
        note("signed_in", user.pk, request=request, detail={"methods": used})

    def logout(self, request: HttpRequest) -> None:
        user_id = request.user.pk if request.user.is_authenticated else None
        super().logout(request)
        if user_id is not None:
            note("signed_out", user_id, request=request)

    # --- passwords and addresses ------------------------------------------------------------------------------

    def set_password(self, user: User, password: str) -> None:
        """A new password ends every session but the one it was changed in, and all user tokens."""
        request = allauth_context.request
        mine = request is not None and request.user.is_authenticated and request.user.pk == user.pk
        with transaction.atomic():
            user.set_password(password)
            user.tokens_valid_after = clock.now().replace(microsecond=0)  # a token's own time has whole seconds
            user.save()
            end_sessions(user.pk, keep=request.session.session_key if mine else None)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Who proves an address owns it: an account that only ever claimed it gives way."""
        with transaction.atomic():
            _release(email_address.email, email_address.user_id)
            confirmed = bool(super().confirm_email(request, email_address))
            if confirmed:
                note("email_verified", email_address.user_id, request=request)
        return confirmed

    # --- mail ---------------------------------------------------------------------------------------------------

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        mails.send(template_prefix, email, context)

    def send_confirmation_mail(self, request: HttpRequest, emailconfirmation: Any, signup: bool) -> None:
        """Six digits for the browser that waits, and a link for any other."""
        address = emailconfirmation.email_address
        url = links.verification_url(address.user, address.email)
        self.send_mail("account/email/email_confirmation", address.email, {
            "code": emailconfirmation.key, "activate_url": url, "signup": signup,
        })  # fmt: skip

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        note(_NOTED[template_prefix], user.pk, request=allauth_context.request)
        super().send_notification_mail(template_prefix, user, context, email)


def _release(email: str, owner: UUID) -> None:
    claims = User.objects.filter(email=email, last_login=None).exclude(pk=owner)
    for user in claims.exclude(emailaddress__verified=True):
        EmailAddress.objects.filter(user=user).delete()
        user.email = f"{user.pk.hex}@unclaimed.invalid"
        user.is_active = False
        user.password = make_password(None)
        user.save()
