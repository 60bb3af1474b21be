"""The few operations of the headless API that this product changes; all others are allauth's."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import structlog
from allauth.account.internal.flows.email_verification import login_on_verification, mark_email_address_as_verified
from allauth.account.internal.flows.email_verification_by_code import (
    EMAIL_VERIFICATION_CODE_SESSION_KEY,
    EmailVerificationProcess,
)
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage, LoginStageController
from allauth.core.internal import ratelimit
from allauth.headless.account import views as account_views
from allauth.headless.account.response import VerifyEmailResponse
from allauth.headless.base.response import AuthenticationResponse, ConflictResponse
from allauth.headless.base.views import APIView, AuthenticatedAPIView
from allauth.headless.internal.restkit.response import APIResponse
from allauth.headless.mfa import views as mfa_views
from allauth.headless.mfa.inputs import TrustInput
from allauth.mfa.internal.flows import trust
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from tenants.accounts import links
from tenants.accounts.mfa import CodeAgainInput, CodeInput, use_up
from tenants.models import User

log = structlog.get_logger(__name__)
_UNPARSABLE = (TypeError, ValueError, LookupError, AttributeError, struct.error)


class VerifyEmailView(account_views.VerifyEmailView):
    """Allauth's, which takes the code in the session that waits for it; also takes the link's key from anywhere."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = _key(self._parse_json(request)) or request.headers.get("x-email-verification-key", "")
        if links.is_link(key):
            return self._by_link(request, key)
        process = EmailVerificationProcess.resume(request)
        if process is not None:
            busy: HttpResponse | None = ratelimit.consume_or_429(
                request, app="allauth.account", action="enter_code", key=process.email, limit_get=True
            )
            if busy:
                return busy
        response: HttpResponseBase = super().handle(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        address = self.process.email_address if self.process else None
        if address is None or not address.verified:
            response: HttpResponse = super().post(request, *args, **kwargs)
            return response
        # Proved by the link meanwhile; the code of the waiting session is as good as ever.
        return _go_on(request, address)

    def _by_link(self, request: HttpRequest, key: str) -> HttpResponse:
        found = links.read(key)
        if found is None:
            return _refused(request, "invalid_or_expired_key", "This link is invalid or no longer valid.")
        address = _address(*found)
        if not address.can_set_verified():
            return _refused(request, "email_taken", "Another account has proved this address.")
        if request.method == "GET":
            shown: HttpResponse = VerifyEmailResponse(request, address, stage=None)
            return shown
        if not address.verified:
            mark_email_address_as_verified(request, address)
        return _go_on(request, address)


class AuthenticateView(mfa_views.AuthenticateView):
    input_class = CodeInput


class ReauthenticateView(mfa_views.ReauthenticateView):
    input_class = CodeAgainInput


class ManageTotpView(mfa_views.ManageTOTPView):
    """The code that proves the new device is used up as well."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(request, *args, **kwargs)
        made = Authenticator.objects.get(user_id=request.user.pk, type=Authenticator.Type.TOTP)
        use_up(made, self.input.cleaned_data["code"])
        return response


class _Untrusted(APIView):
    """Allauth hands a passkey's answer to its parser unchecked: whatever that trips over is a bad answer, not a fault
    of ours."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().handle(request, *args, **kwargs)
        except _UNPARSABLE as error:
            log.info("passkey_unreadable", error=repr(error))
            return _refused(request, "incorrect_code", "This is not a passkey's answer.", param="credential")
        return response


class LoginWebAuthnView(_Untrusted, mfa_views.LoginWebAuthnView):
    pass


class AuthenticateWebAuthnView(_Untrusted, mfa_views.AuthenticateWebAuthnView):
    pass


class ReauthenticateWebAuthnView(_Untrusted, mfa_views.ReauthenticateWebAuthnView):
    pass


class ManageWebAuthnView(_Untrusted, mfa_views.ManageWebAuthnView):
    pass


class TrustView(AuthenticatedAPIView):
    """ "Trust this device": after a second factor, a token that spares it at the next sign-ins, for 30 days.

    Allauth keeps it in a cookie of the browser; an app gets the same signed value as ``meta.trust_token`` and sends it
    with a sign-in as ``X-Trust-Token``. A new password or any change of the second factors ends it.
    """

    input_class = {"POST": TrustInput}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        records = get_authentication_records(request, request.user)
        if not any(record["method"] == "mfa" for record in records):
            refusal: HttpResponse = ConflictResponse(request)
            return refusal
        response: HttpResponse = AuthenticationResponse(request)
        if self.input.cleaned_data["trust"]:
            issued = trust.IssuedTrust(trust.create_config_fingerprint(request.user), int(time.time()))
            body = json.loads(response.content)
            body["meta"]["trust_token"] = trust.encode_trust_cookie([issued])
            response.content = json.dumps(body).encode()
        return response


def _go_on(request: HttpRequest, address: EmailAddress) -> HttpResponse:
    """Sign in the session that waits for this very person; any other stays as it is."""
    state = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
    if state and str(state.get("email", "")).lower() == address.email:
        request.session.pop(EMAIL_VERIFICATION_CODE_SESSION_KEY)
    stage = LoginStageController.enter(request, EmailVerificationStage.key)
    waits = stage is not None and stage.login.user is not None and stage.login.user.pk == address.user_id
    begun = login_on_verification(request, address) if waits else None
    response: HttpResponse = AuthenticationResponse.from_response(request, begun)
    return response


def _address(user: User, email: str) -> EmailAddress:
    found = EmailAddress.objects.filter(user=user, email=email).select_related("user").first()
    return found or EmailAddress(user=user, email=email)


def _key(data: Any) -> str:
    key = data.get("key") if isinstance(data, dict) else None
    return key if isinstance(key, str) else ""


def _refused(request: HttpRequest, code: str, message: str, *, param: str = "key") -> HttpResponse:
    error = {"code": code, "message": message, "param": param}
    response: HttpResponse = APIResponse(request, status=400, errors=[error])
    return response
