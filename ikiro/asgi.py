"""One ASGI application, two lanes, and the lifespan that owns the background loops."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ikiro.settings.production")
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - Django must be set up first

from gateway.surfaces import lifespan, problems  # noqa: E402
from gateway.surfaces.body_limits import body_limit  # noqa: E402
from gateway.surfaces.routes import shortcut  # noqa: E402
from gateway.surfaces.spine import dress_unrouted  # noqa: E402
from ikiro.lanes import Receive, Scope, Send, SlimHandler  # noqa: E402

_SLIM_PREFIXES = ("/v1/", "/healthz", "/readyz")


class Application:
    """Everything under ``/v1`` and the health checks go down the slim lane, the rest (console, static files) through
    stock Django."""

    def __init__(self) -> None:
        self._slim = SlimHandler(
            body_limit=body_limit, finish=dress_unrouted, crashed=problems.crashed, shortcut=shortcut
        )
        self._stock = ASGIHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            lane = self._slim if scope["path"].startswith(_SLIM_PREFIXES) else self._stock
            await lane(scope, receive, send)
        else:
            raise ValueError(f"{scope['type']} connections are not served.")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await lifespan.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await lifespan.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


application = Application()
