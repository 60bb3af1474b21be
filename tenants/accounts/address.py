"""Which network address a request comes from.

In order: what the console vouches for; what our own proxies say, when there are any (``IKIRO_TRUSTED_PROXIES``); the
other end of the connection. ``X-Forwarded-For`` alone is never believed.

The console calls the gateway for a person and sends their address in ``X-Ikiro-Console``::

    <address>;<seconds since the epoch>;<hex HMAC-SHA256 of "<address>;<seconds>">

The key of the HMAC is ``sha256("ikiro.console.address" + SECRET_KEY)``. A console process with another secret is not
believed: all its visitors then share its own address.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time

from django.conf import settings
from django.http import HttpRequest

HEADER = "X-Ikiro-Console"
_SALT = b"ikiro.console.address"
_FRESH_S = 60


def client_address(request: HttpRequest) -> str:
    """The address to count attempts by and to show in the list of sessions."""
    vouched = _vouched(request.headers.get(HEADER, ""))
    if vouched:
        return vouched
    proxies: int = settings.IKIRO_TRUSTED_PROXIES
    if proxies:
        hops = request.headers.get("X-Forwarded-For", "").split(",")
        if len(hops) >= proxies:
            said = _plain(hops[-proxies])
            if said:
                return said
    return _plain(str(request.META.get("REMOTE_ADDR", ""))) or "0.0.0.0"  # noqa: S104 - a unix socket has no address


def vouch(address: str, *, now: float | None = None) -> str:
    """The header's value for an address."""
    at = int(time.time() if now is None else now)
    return f"{address};{at};{_mac(address, at)}"


def _vouched(value: str) -> str:
    parts = value.split(";")
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 12:
        return ""
    address, at = _plain(parts[0]), int(parts[1])
    genuine = hmac.compare_digest(_mac(parts[0], at).encode(), parts[2].encode())
    return address if genuine and abs(time.time() - at) <= _FRESH_S else ""


def _mac(address: str, at: int) -> str:
    key = hashlib.sha256(_SALT + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, f"{address};{at}".encode(), hashlib.sha256).hexdigest()


def _plain(text: str) -> str:
    """An address without port, brackets or the IPv4-in-IPv6 form; empty when it is none."""
    text = text.strip()
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
