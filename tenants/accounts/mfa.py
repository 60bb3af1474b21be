"""Second factors: how their secrets are kept, which site passkeys belong to, and that a code works once."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from allauth.core.internal.cryptokit import compare_user_code
from allauth.headless.mfa.inputs import AuthenticateInput, ReauthenticateInput
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import BaseAuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.db import transaction

from gateway.core.crypto import Secret, seal, unseal

# Allauth does not say whose secret it hands over, so the purpose is all that a sealed value is bound to.
PLACE = ("account", "second_factor")


class MfaAdapter(DefaultMFAAdapter):
    """Secrets are encrypted under the key ring; passkeys belong to the console's host."""

    def encrypt(self, text: str) -> str:
        sealed, kid = seal(Secret(text), *PLACE)
        return f"{kid}.{base64.b64encode(sealed).decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        kid, _, body = encrypted_text.rpartition(".")
        return unseal(base64.b64decode(body), kid, *PLACE).reveal()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Browsers bind a passkey to a domain name, so a console on a bare loopback address counts as localhost."""
        host = urlsplit(settings.IKIRO_CONSOLE_URL).hostname or "localhost"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return {"id": host, "name": settings.MFA_TOTP_ISSUER}
        return {"id": "localhost", "name": settings.MFA_TOTP_ISSUER}


class _OnlyOnce(BaseAuthenticateForm):
    """A time-based code is taken once: not it, nor an earlier one, ever again (RFC 6238 §5.2).

    Allauth remembers a code in the cache for one step; with a tolerance of a step either way it lives for three.
    """

    def clean_code(self) -> str:
        code: str = super().clean_code()
        authenticator: Authenticator = self.authenticator
        if authenticator.type == Authenticator.Type.TOTP and not use_up(authenticator, code):
            raise get_mfa_adapter().validation_error("incorrect_code")
        return code


class CodeInput(_OnlyOnce, AuthenticateInput):
    """The second step of signing in."""


class CodeAgainInput(_OnlyOnce, ReauthenticateInput):
    """The second factor asked for again."""


def use_up(authenticator: Authenticator, code: str) -> bool:
    """Note the step of a valid code as used; False when it, or a later one, was used before."""
    secret = get_mfa_adapter().decrypt(authenticator.data["secret"])
    steps = [step for step in yield_hotp_counters_from_time() if _is(code, secret, step)]
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        if not steps or steps[-1] <= row.data.get("last_step", -1):
            return False
        row.data["last_step"] = steps[-1]
        row.save(update_fields=["data"])
        authenticator.data = row.data
    return True


def _is(code: str, secret: str, step: int) -> bool:
    matches: Any = compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step)))
    return bool(matches)
