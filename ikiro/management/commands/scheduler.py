"""Run the scheduler: ledger writer, lease reaper, audit sealer, sweeps. Start as many as you like; one leads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ikiro.scheduler.loop import main


class Command(BaseCommand):
    help = __doc__
    # The checks import every URL, and with them the whole API and the console, of which this process serves nothing.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        main()
