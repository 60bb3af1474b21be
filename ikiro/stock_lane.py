"""Stock Django with a middleware list of its own: lanes differ in nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler


class StockLane(ASGIHandler):
    """Django's ASGI handler, whose list comes from its maker instead of ``settings.MIDDLEWARE``."""

    def __init__(self, middleware: Sequence[str]) -> None:
        self._middleware = list(middleware)
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        # Django reads the list from the settings alone. Handlers are made one after another, before anything is served.
        usual = settings.MIDDLEWARE
        settings.MIDDLEWARE = self._middleware
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = usual
