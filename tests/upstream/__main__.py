"""``python -m tests.upstream --port N``: the scripted provider in a process of its own. Prints its address."""

from __future__ import annotations

import argparse
import asyncio
import socket

import uvicorn

from tests.upstream.app import Upstream
from tests.upstream.serve import configuration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    sock = socket.create_server(("127.0.0.1", parser.parse_args().port))
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    asyncio.run(uvicorn.Server(configuration(Upstream())).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
