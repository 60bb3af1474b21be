"""The link that proves an address: signed, bound to one person and one address, usable in any browser.

It dies with the password it was made under and after ``IKIRO_MAIL_LINK_S``. It signs nobody in by itself: only the
session that waits for the proof is signed in by it. A second click finds the address proved and changes nothing.
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from tenants.models import User

_SALT = "ikiro.accounts.verify"


def verification_url(user: User | None, email: str) -> str:
    """The address of the console's page for this link. For a sign-up that made no account there is nobody to bind."""
    key = signing.dumps({"u": user.pk.hex if user else "", "e": email, "f": _state(user)}, salt=_SALT)
    return f"{settings.IKIRO_CONSOLE_URL}/verify?key={quote(key, safe='')}"


def is_link(key: str) -> bool:
    """Whether a key came from a link; the others are codes."""
    return key.count(":") == 2


def read(key: str) -> tuple[User, str] | None:
    """The person and the address that a link proves, or None when it is forged, too old or outlived."""
    try:
        said = signing.loads(key, salt=_SALT, max_age=settings.IKIRO_MAIL_LINK_S)
        user = User.objects.filter(pk=UUID(said["u"]), is_active=True).first()
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        return None
    if user is None or not constant_time_compare(said["f"], _state(user)):
        return None
    return user, str(said["e"])


def _state(user: User | None) -> str:
    if user is None:
        return ""
    return salted_hmac(_SALT, f"{user.pk.hex}|{user.password}", algorithm="sha256").hexdigest()[:24]
