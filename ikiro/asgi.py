"""One ASGI application, four lanes, and the lifespan that owns the background loops."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ikiro.settings.production")
django.setup()

from django.conf import settings  # noqa: E402 - Django must be set up first

from console.lane import Bounded  # noqa: E402
from gateway.surfaces import lifespan, problems, reach  # noqa: E402
from gateway.surfaces.asgi import Receive, Scope, Send  # noqa: E402
from gateway.surfaces.body_limits import body_limit  # noqa: E402
from gateway.surfaces.fast_lane import PATH, FastLane  # noqa: E402
from gateway.surfaces.routes import shortcut  # noqa: E402
from gateway.surfaces.spine import dress_unrouted  # noqa: E402
from ikiro.account_lane import AccountLane  # noqa: E402
from ikiro.lanes import SlimHandler, routed  # noqa: E402
from ikiro.stock_lane import StockLane  # noqa: E402

_SLIM_PREFIXES = ("/v1/", "/healthz", "/readyz", "/metrics", "/.well-known/", "/schemas/")
_ACCOUNT_PREFIXES = ("/_allauth/", "/accounts/")


class Application:
    """``/v1`` and the health checks go down the slim lane, with a fast one beside it for plain completions; accounts
    through threads of their own, the rest (console, static files) through stock Django with the console's middleware,
    which asks no database."""

    def __init__(self) -> None:
        self._slim = SlimHandler(
            body_limit=body_limit, finish=dress_unrouted, crashed=problems.crashed, shortcut=shortcut,
            preflight=reach.preflight,
        )  # fmt: skip
        self.fast = FastLane(self._slim) if settings.IKIRO_FAST_LANE else None
        self._accounts = AccountLane()
        self._console = Bounded(StockLane(settings.CONSOLE_MIDDLEWARE))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._lane(scope)(scope, receive, send)
        else:
            raise ValueError(f"{scope['type']} connections are not served.")

    def _lane(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        path = scope["path"]
        if path == PATH and routed(scope) == PATH:
            return self.fast or self._slim
        if path.startswith(_SLIM_PREFIXES):
            return self._slim
        return self._accounts if path.startswith(_ACCOUNT_PREFIXES) else self._console

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
