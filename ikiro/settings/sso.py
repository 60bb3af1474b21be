"""Single sign-on: where identity providers send people back to, and whom we ask about domains. Imported by ``base``."""

from __future__ import annotations

import ipaddress

from django.core.exceptions import ImproperlyConfigured

from ikiro.settings import environment as env

# The gateway's own address as browsers and identity providers reach it.
IKIRO_PUBLIC_URL = (
    env.text("IKIRO_PUBLIC_URL", "") or f"http://127.0.0.1:{env.integer('PORT', 8000, most=65535)}"
).rstrip("/")
SOCIALACCOUNT_ADAPTER = "tenants.sso.adapter.SocialAdapter"


def _server(word: str) -> tuple[str, int]:
    plain = word.count(":") > 1 and "]:" not in word  # an IPv6 address without a port
    host, _, port = (word, "", "") if plain or ":" not in word else word.rpartition(":")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port or 53)
    except ValueError:
        raise ImproperlyConfigured(
            f"IKIRO_DNS_SERVERS: {word!r} must be an address with an optional port, like 9.9.9.9 or [2620:fe::fe]:53."
        ) from None


# Empty: the system's resolver.
IKIRO_DNS_SERVERS = [_server(word) for word in env.words("IKIRO_DNS_SERVERS")]
