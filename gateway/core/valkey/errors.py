"""How the store fails.

Unavailable
└── StoreUnavailable   503 store_unavailable   away, too slow, loading, or its queue is full
GatewayError
└── CommandFailed      500 store_command_failed   the server refused the command: a mistake of ours
    └── ScriptMissing  (inside this package only: the server forgot a script)
"""

from __future__ import annotations

from gateway.core.errors import GatewayError, Unavailable

# What a server says while it cannot serve, though the command is right: worth another try later.
_TRANSIENT = frozenset(
    ("LOADING", "BUSY", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS")
)


class StoreUnavailable(Unavailable):
    """The store did not answer. ``maybe_applied``: the command was written, so the server may yet have run it."""

    default_code = "store_unavailable"

    def __init__(self, detail: str, *, maybe_applied: bool = False, retry_after: float = 1.0) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.maybe_applied = maybe_applied


class CommandFailed(GatewayError):
    default_code = "store_command_failed"


class ScriptMissing(CommandFailed):
    """NOSCRIPT: answered by sending the source."""


def from_reply(message: str) -> Exception:
    """The exception for an error reply such as ``WRONGTYPE Operation against a key …``."""
    kind = message.partition(" ")[0]
    if kind == "NOSCRIPT":
        return ScriptMissing(message)
    if kind in _TRANSIENT:
        return StoreUnavailable(f"The store cannot serve now: {message}")
    return CommandFailed(message)
