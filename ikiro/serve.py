"""``python -m ikiro.serve APPLICATION``: uvicorn, with the options that every web process of the product has."""

from __future__ import annotations

import argparse

import uvicorn

# Longer than clients keep an idle connection: whoever closes second never meets a request on its way.
_KEEP_ALIVE_S = 75


def main() -> None:
    parser = argparse.ArgumentParser(prog="ikiro.serve")
    parser.add_argument("application", help="ikiro.asgi:application or console.asgi:application")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--patience", type=int, default=10, help="seconds that requests under way have at the end")
    given = parser.parse_args()
    uvicorn.run(
        given.application,
        host=given.host,
        port=given.port,
        workers=given.workers,
        loop="uvloop",
        http="ikiro.protocol:Protocol",
        log_level=given.log_level,
        access_log=False,
        # Whose address counts is decided by IKIRO_TRUSTED_PROXIES, in one place.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=given.patience,
    )


if __name__ == "__main__":
    main()
