"""Where a call goes: a URL taken apart once, strictly. What is checked is what is connected to; nothing parses it
again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.core.egress.addresses import parse_address
from gateway.core.egress.errors import EgressRefused

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """``host`` is lower case, without brackets or trailing dot; ``path`` carries the query; ``authority`` is the Host
    header.
    """

    scheme: str
    host: str
    port: int
    path: str
    authority: str


@lru_cache(maxsize=512)
def parse_url(url: str) -> Target:
    """Take an absolute http(s) URL apart. Raises EgressRefused for anything unusual: credentials, odd characters, other
    schemes.
    """
    if not _PRINTABLE.match(url):
        raise EgressRefused("The address contains blanks or characters that are not ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EgressRefused(f"The address is malformed: {error}.") from None
    if parts.scheme not in _PORTS:
        raise EgressRefused("Only http and https addresses are called.")
    if "@" in parts.netloc:
        raise EgressRefused("The address must not carry credentials.")
    host = (parts.hostname or "").rstrip(".")
    literal = parse_address(host)
    if literal is None and not _HOST.match(host):
        raise EgressRefused(f"{host!r} is not a host name.")
    if port == 0:
        raise EgressRefused("Port 0 cannot be called.")
    shown = f"[{host}]" if literal is not None and literal.version == 6 else host
    authority = shown if port in (None, _PORTS[parts.scheme]) else f"{shown}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path, authority)
