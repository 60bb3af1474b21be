"""The four Redis URLs of an installation, derived from one server where the operator names no others.

State (0) and cache (1) are separate so that production can put them on separate servers; broker (2) and channels (3)
likewise.
"""

from __future__ import annotations

STATE_DB, CACHE_DB, BROKER_DB, CHANNELS_DB = 0, 1, 2, 3


def with_db(url: str, db: int) -> str:
    """The same server with another database: ``redis://h/0`` becomes ``redis://h/1``, a unix URL gets ``?db=1``."""
    base, _, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair and not pair.startswith("db=")]
    if base.startswith("unix:"):
        pairs.append(f"db={db}")
    else:
        scheme, _, rest = base.partition("://")
        base = f"{scheme}://{rest.partition('/')[0]}/{db}"
    return base + ("?" + "&".join(pairs) if pairs else "")


def broker_url(url: str, db: int = BROKER_DB) -> str:
    """The URL in Celery's spelling, which differs for unix sockets: ``redis+socket:///path?virtual_host=2``."""
    if not url.startswith("unix:"):
        return with_db(url, db)
    path = url.partition("?")[0].removeprefix("unix://")
    return f"redis+socket://{path}?virtual_host={db}"
