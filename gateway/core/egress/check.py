"""Looking at an address before it is stored: what a guarded call would refuse later is refused now, and said why."""

from __future__ import annotations

import asyncio

from gateway.core.egress.errors import ConnectFailed, EgressRefused
from gateway.core.egress.pool import current_pool
from gateway.core.egress.target import parse_url

_RESOLVE_S = 5.0


async def check(url: str) -> None:
    """Resolve the host of ``url`` and let the guard decide. Plain http is for hosts that IKIRO_EGRESS_ALLOW names.

    Raises EgressRefused, which names host and reason, or ConnectFailed for a name that does not resolve.
    """
    target, resolver = parse_url(url), current_pool().resolver
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await resolver.addresses(target.host, trusted=False)
    except TimeoutError:
        raise ConnectFailed(f"The name {target.host!r} could not be resolved in {_RESOLVE_S:g} s.") from None
    if target.scheme != "https" and not resolver.allows(target.host, found):
        raise EgressRefused(f"{target.host!r} would be called over plain http, where everybody can read; use https.")
