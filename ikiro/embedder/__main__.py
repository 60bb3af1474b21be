"""``python -m ikiro.embedder``: load the model and answer on ``IKIRO_EMBEDDER_SOCKET`` until told to stop.

The graph is kept in ``embedder/`` of ``IKIRO_STATE_DIR``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ikiro.embedder.lanes import Lanes
from ikiro.embedder.model import ModelWrong, load
from ikiro.embedder.server import SocketTaken, serve
from ikiro.embedder.weights import ModelMissing

log = logging.getLogger("ikiro.embedder")


def main() -> int:
    parser = argparse.ArgumentParser(prog="ikiro.embedder")
    parser.add_argument("--socket", type=Path, default=os.environ.get("IKIRO_EMBEDDER_SOCKET"))
    parser.add_argument("--state", type=Path, default=os.environ.get("IKIRO_STATE_DIR"))
    given = parser.parse_args()
    if given.socket is None or given.state is None:
        parser.error("IKIRO_EMBEDDER_SOCKET and IKIRO_STATE_DIR say where the socket and the graph are")
    logging.basicConfig(level=os.environ.get("IKIRO_LOG_LEVEL", "INFO"), format="embedder %(levelname)s %(message)s")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return asyncio.run(_run(given.socket, given.state / "embedder"))
    except (ModelMissing, ModelWrong, SocketTaken, OSError, subprocess.SubprocessError) as error:
        log.error("%s", error)
        return 1


async def _run(path: Path, graphs: Path) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    began = time.monotonic()
    model = load(graphs)
    log.info("the model took %.1f s", time.monotonic() - began)
    await serve(path, Lanes(model), stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
