"""The Lua of admission, by name. Each runs in one atomic step on the store's own clock.

``_time`` (the clock and its calendar), ``_use`` (the counters) and ``_lease`` (what a lease holds) stand in front of
those that need them.
"""

from __future__ import annotations

from gateway.core.valkey.script import Script, load


def _script(name: str) -> Script:
    return load(__name__, name, prelude=("_time", "_use", "_lease"))


ADMIT = _script("admit")
SETTLE = _script("settle")
VOID = _script("void")
REOPEN = _script("reopen")
LEND = _script("lend")
RETURN = _script("return")
REAP = _script("reap")
MEMORY = _script("memory")
RENEW = load(__name__, "renew", prelude=("_time",))
REFUSE = load(__name__, "refuse")

BY_NAME = {script.name: script for script in (SETTLE, VOID, REOPEN, MEMORY, REFUSE)}
