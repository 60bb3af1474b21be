"""A file whose age says whether a process without a port still works; the container's health check looks at it.

Touched from within the loop that does the work, so that a loop that stands still lets it age.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import bootsteps
from django.conf import settings

EVERY_S = 5.0


def beat() -> None:
    """Note that we are alive, where the installation asks for it (IKIRO_HEARTBEAT_PATH)."""
    if settings.IKIRO_HEARTBEAT_PATH:
        Path(settings.IKIRO_HEARTBEAT_PATH).touch()


class WorkerHeartbeat(bootsteps.StartStopStep):
    """Beats on the timer of the consumer's own loop: while that waits for a lost queue to come back, nothing beats."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._entry: Any = None

    def start(self, worker: Any) -> None:
        self._entry = worker.timer.call_repeatedly(EVERY_S, beat)

    def stop(self, worker: Any) -> None:
        if self._entry is not None:
            self._entry.cancel()
