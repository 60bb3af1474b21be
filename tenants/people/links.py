"""The links that invitations are accepted by."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from django.conf import settings


def token_of(invitation_id: UUID) -> str:
    """The secret part of an invitation's link: 52 characters."""
    mac = hmac.new(settings.SECRET_KEY.encode(), b"invitation:" + invitation_id.bytes, hashlib.sha256).digest()
    return base64.b32encode(mac).decode().rstrip("=").lower()


def url_of(invitation_id: UUID) -> str:
    """Where the console takes the invitation up."""
    return f"{settings.IKIRO_CONSOLE_URL}/invite/{token_of(invitation_id)}"
