"""Where the store is: ``redis://[user:password@]host[:port][/db]`` or ``unix:///path/to/socket[?db=0]``."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """One server and database. ``path`` is the unix socket; without it ``host`` and ``port`` count."""

    host: str
    port: int
    path: str | None
    db: int
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"


def parse(url: str) -> Address:
    """The address in ``url``. Raises ValueError, without repeating the URL (it may hold a password)."""
    parts = urlsplit(url)
    if parts.scheme == "rediss":
        raise ValueError("rediss:// is not supported: reach the store over a private network or a local TLS proxy")
    if parts.scheme not in ("redis", "unix"):
        raise ValueError(f"a store URL starts with redis:// or unix://, not {parts.scheme or 'nothing'!r}")
    query = parse_qs(parts.query)
    named = query.get("db", [""])[0]
    if parts.scheme == "redis" and not named:
        named = parts.path.strip("/")
    try:
        db = int(named or 0)
        port = parts.port or 6379
    except ValueError:
        raise ValueError("the port and the database number of a store URL are numbers") from None
    path = unquote(parts.path) if parts.scheme == "unix" else None
    if path == "":
        raise ValueError("a unix:// store URL names the socket's path")
    return Address(
        host=parts.hostname or "localhost",
        port=port,
        path=path,
        db=db,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
