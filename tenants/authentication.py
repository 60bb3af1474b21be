"""From the text of a key to a Principal, without I/O for every key this worker knows."""

from __future__ import annotations

import hmac

from gateway.core import clock
from gateway.core.errors import Forbidden, Unauthenticated, Unavailable
from tenants import tokens
from tenants.directory import directory
from tenants.types import Principal

_NEXT = "Check the key or make a new one with POST /v1/keys."


async def authenticate(token: str) -> Principal:
    """Who holds this key. Raises Unauthenticated (with the reason as code), Forbidden for a suspended organization,
    Unavailable when it cannot be decided."""
    parsed = tokens.parse(token)
    if parsed is None:
        raise Unauthenticated(f"This is not an API key: its shape or checksum is wrong. {_NEXT}", code="key_malformed")
    if directory.version < 0:
        await directory.load()  # the first requests of a process wait for its first load instead of being sent away
    directory.require_fresh()
    key = directory.key(parsed.public) or await directory.find_missing(parsed.public)
    if key is None:
        raise Unauthenticated(f"No such key. {_NEXT}", code="key_unknown")
    if not hmac.compare_digest(key.secret_sha256, parsed.sha256):
        within_grace = key.previous_valid_until is not None and clock.now() < key.previous_valid_until
        if key.previous_sha256 is None or not hmac.compare_digest(key.previous_sha256, parsed.sha256):
            raise Unauthenticated(f"No such key. {_NEXT}", code="key_unknown")
        if not within_grace:
            raise Unauthenticated("This secret was rotated and its 24 hours are over.", code="key_expired")
    if key.revoked_at is not None:
        raise Unauthenticated("This key was revoked.", code="key_revoked")
    if key.expires_at is not None and clock.now() >= key.expires_at:
        raise Unauthenticated(f"This key expired on {key.expires_at:%Y-%m-%d %H:%M} UTC.", code="key_expired")
    organization = directory.organization(key.org_id)
    if organization is None or organization.state != "ready":
        raise Unavailable("This organization is still being set up.", code="org_not_ready", retry_after=2)
    if organization.suspended_at is not None:
        raise Forbidden("This organization is suspended; ask its operator.", code="org_suspended")
    return Principal(organization, key)
