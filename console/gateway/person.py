"""What a call says about the person it is made for: the page, the network address and the browser.

The gateway counts attempts per address and believes the console about it because the statement is signed with the
secret that both have (``X-Ikiro-Console``, docs/reference/accounts.md).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from functools import cache
from typing import Any

from django.conf import settings


def forwarded(request: Any) -> dict[str, str]:
    """Headers for the gateway's limits and for the person's list of sessions."""
    headers = {"X-Request-Id": request.page_id, "User-Agent": request.headers.get("User-Agent", "unknown")[:500]}
    address = client_address(request)
    if address:
        headers["X-Forwarded-For"] = address
        headers["X-Ikiro-Console"] = _vouched(address, int(time.time()))
    return headers


def client_address(request: Any) -> str:
    """The other end of the connection, or what our own proxies say when there are any. Empty when it is no address."""
    said = str(request.META.get("REMOTE_ADDR") or "")
    proxies: int = settings.IKIRO_TRUSTED_PROXIES
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    if proxies and len(hops) >= proxies:
        said = hops[-proxies]
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return ""


def _vouched(address: str, now: int) -> str:
    statement = f"{address};{now}"
    return f"{statement};{hmac.new(_key(settings.SECRET_KEY), statement.encode(), hashlib.sha256).hexdigest()}"


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"ikiro.console.address" + secret.encode()).digest()
