"""The only outbound HTTP of the gateway.

Every call resolves its host, refuses addresses that are not public (unless the call is ``trusted``, i.e. goes to an
address of the operator's own configuration, or IKIRO_EGRESS_ALLOW matches), connects to exactly the address that was
checked, follows no redirect, and is bounded in connect, first-byte, stall and total time and in size. Cancelling the
awaiting task closes the connection at once. The README beside this file says why the transport is our own and what was
measured.
"""

from __future__ import annotations

from gateway.core.egress.check import check
from gateway.core.egress.client import Response, Timeouts, open  # noqa: A004  (read as egress.open)
from gateway.core.egress.errors import (
    ConnectFailed,
    EgressRefused,
    NotSeen,
    UpstreamBroken,
    UpstreamStalled,
    UpstreamTimeout,
)
from gateway.core.egress.pool import close_pool, current_pool
from gateway.core.egress.post import Post, Sender, Sent

__all__ = [
    "ConnectFailed",
    "EgressRefused",
    "NotSeen",
    "Post",
    "Response",
    "Sender",
    "Sent",
    "Timeouts",
    "UpstreamBroken",
    "UpstreamStalled",
    "UpstreamTimeout",
    "check",
    "close_pool",
    "current_pool",
    "open",
]
