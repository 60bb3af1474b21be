"""Compare every organization's schema with the template and report drift; exit code 1 when there is any."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants import fleet


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        drifts = fleet.verify()
        for drift in drifts:
            self.stdout.write(f"{drift.schema}:")
            for line in drift.missing:
                self.stdout.write(f"  missing    {line}")
            for line in drift.unexpected:
                self.stdout.write(f"  unexpected {line}")
        if drifts:
            raise CommandError(f"{len(drifts)} schema(s) differ from the template.")
        self.stdout.write("every schema matches the template")
