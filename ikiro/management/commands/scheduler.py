"""Run the scheduler: ledger writer, lease reaper, audit sealer, sweeps. Start as many as you like; one leads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ikiro.scheduler.loop import main


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        main()
