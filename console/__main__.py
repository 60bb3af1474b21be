"""``python -m console``: the console alone, in front of the gateway at ``IKIRO_GATEWAY_URL``.

``IKIRO_SECRET_KEY`` (or ``_FILE``) should be the gateway's. On a laptop the embedded installation's is found; without
any, one is made for this run, and people sign in again after the next start.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path

import uvicorn


def main() -> None:
    """Serve until stopped."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ikiro.settings.console")
    port = int(os.environ.setdefault("PORT", "8080"))
    gateway = os.environ.setdefault("IKIRO_GATEWAY_URL", "http://127.0.0.1:8000")
    os.environ.setdefault("IKIRO_CONSOLE_URL", f"http://127.0.0.1:{port}")
    said = [f"Console  http://127.0.0.1:{port}", f"Gateway  {gateway}", *_secret(), *asyncio.run(_trouble())]
    sys.stderr.write("\n".join(said) + "\n")
    uvicorn.run("console.asgi:application", host="127.0.0.1", port=port, log_level="warning", access_log=False)


def _secret() -> list[str]:
    if os.environ.get("IKIRO_SECRET_KEY") or os.environ.get("IKIRO_SECRET_KEY_FILE"):
        return []
    embedded = Path(os.environ.get("IKIRO_STATE_DIR", ".ikiro")) / "secrets" / "secret_key"
    if embedded.is_file():
        os.environ["IKIRO_SECRET_KEY_FILE"] = str(embedded)
        return []
    os.environ["IKIRO_SECRET_KEY"] = secrets.token_urlsafe(48)
    return ["No IKIRO_SECRET_KEY: made one for this run; sign-ins end with it."]


async def _trouble() -> list[str]:
    import django  # noqa: PLC0415 - the environment is complete now, not before

    django.setup()
    from console.gateway import GatewayDown, http  # noqa: PLC0415

    try:
        await http.exchange("GET", "/healthz", timeout=3.0)
    except GatewayDown as error:
        return [f"Warning  {error.reason}; pages will say so until it does."]
    finally:
        await http.close()
    return []


if __name__ == "__main__":
    main()
