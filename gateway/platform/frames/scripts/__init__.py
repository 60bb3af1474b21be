"""The Lua of kept frames, by name."""

from __future__ import annotations

from gateway.core.valkey.script import load

APPEND = load(__name__, "append")
RENEW = load(__name__, "renew")
