"""Bring the database up to the code: roles, public schema, template, and every organization that is behind."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.platform.ledger.partitions import ensure_partitions
from tenants import fleet


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        outcome = fleet.migrate(self.stdout.write)
        ensure_partitions()
        for schema, error in outcome.failed:
            self.stderr.write(f"{schema}: {error}")
        if outcome.failed:
            raise CommandError(f"{len(outcome.failed)} schema(s) could not be migrated; the rest are up to date.")
        if not outcome.public and not outcome.schemas:
            self.stdout.write("nothing to migrate")
