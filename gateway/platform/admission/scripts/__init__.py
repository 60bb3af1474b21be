"""The Lua of admission, by name. Each runs in one atomic step on the store's own clock."""

from __future__ import annotations

from gateway.core.valkey.script import Script, load


def _script(name: str) -> Script:
    return load(__name__, name, prelude="_time")


ADMIT = _script("admit")
SETTLE = _script("settle")
VOID = _script("void")
RENEW = _script("renew")
PEEK = _script("peek")
REAP = _script("reap")
REFUSE = load(__name__, "refuse")

BY_NAME = {script.name: script for script in (SETTLE, VOID, REFUSE)}
