"""The store of limits, leases and the usage stream (Valkey or Redis).

Hot path: ``connection(url)`` gives the running loop's one multiplexed connection. Everywhere else (workers, scheduler,
commands): ``sync_client(url)``. ``Script`` is a Lua script called by its hash, loaded again when the server forgot it.
"""

from __future__ import annotations

from gateway.core.valkey.client import Valkey, connection
from gateway.core.valkey.errors import CommandFailed, ScriptMissing, StoreUnavailable
from gateway.core.valkey.pipe import Asker
from gateway.core.valkey.script import Script
from gateway.core.valkey.shards import SHARDS, prefix, shard_of
from gateway.core.valkey.sync import sync_client

__all__ = [
    "SHARDS",
    "Asker",
    "CommandFailed",
    "Script",
    "ScriptMissing",
    "StoreUnavailable",
    "Valkey",
    "connection",
    "prefix",
    "shard_of",
    "sync_client",
]
