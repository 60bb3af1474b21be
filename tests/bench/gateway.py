"""``make bench-gateway``: what the gateway adds, in ratios of one run on one machine. A run with an error is invalid.

CPU per request is that of the measured process tree alone, from the system's own accounting; load generator and
provider are other processes. ``ARGS="--only pass_through,streams"`` runs some parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ikiro.stack.testing import TestStack
from tests.bench import growth, passthrough, revocation, spine, streaming
from tests.bench.measure import served, uvicorn
from tests.bench.setting import Setting
from tests.harness import Gateway

PARTS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "pass_through": passthrough.ours,
    "peers": passthrough.peers,
    "streams": streaming.measure,
    "chat": spine.chat,
    "memory": spine.memory,
    "revocation": revocation.measure,
    "growth": growth.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    wanted = parser.parse_args().only.split(",")
    with (
        tempfile.TemporaryDirectory(prefix="ikiro-bench-") as place,
        TestStack(Path(place) / "state", durable=True) as stack,
    ):
        upstream = served(lambda port: ["-m", "tests.bench.apps", "--port", str(port)])
        bare = served(uvicorn("tests.bench.apps:constant"))
        proxy = served(uvicorn("tests.bench.apps:plain_proxy"), BENCH_UPSTREAM=f"127.0.0.1:{upstream.port}")
        product = Gateway(
            stack.env,
            IKIRO_OPENAI_BASE_URL=f"http://127.0.0.1:{upstream.port}/v1",
            DJANGO_SETTINGS_MODULE="ikiro.settings.local",
        )
        try:
            product.prepare()
            product.manage("orgs", "limits", "acme", "rate=1000000000", "calls=1000000000")
            product.start()
            setting = Setting(product, upstream, bare, proxy)
            for name in wanted:
                print(json.dumps({name: PARTS[name](setting)}, indent=1), flush=True)
        finally:
            for process in (product, upstream, bare, proxy):
                process.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
