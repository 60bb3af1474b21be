"""A scripted provider that speaks the OpenAI wire: a real server on a real socket, for tests and benchmarks.

    with running() as upstream:            # a thread of this process, any free port
        upstream.base_url                  # http://127.0.0.1:PORT/v1
        upstream.calls()                   # what it saw: [{"id", "path", "headers", "body", "finished", "disconnected",
        …}] upstream.script("stall", chunks=3) # what models without a scenario of their own do from now on
        upstream.reset()

    python -m tests.upstream --port 9100   # the same in a process of its own; GET /__calls, POST /__script, POST
    /__reset

A model name may carry its scenario: ``fake:normal``, ``fake:delay,delay_ms=1000``,
``fake:status,code=429,retry_after=7``. Any other name follows the script, which is ``normal`` at first. Scenarios and
their options are the functions of ``SCENARIOS``.
"""

from __future__ import annotations

from tests.upstream.serve import Handle, running

__all__ = ["Handle", "running"]
