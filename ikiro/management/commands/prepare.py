"""What `make up` runs before it says "ready": bring the database up to the code, then make sure that the demo exists.

One process instead of two, because starting Python and Django is most of the time that either takes. Prints the
quickstart's JSON object; what the migration says goes to standard error.
"""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate_fleet", stdout=self.stderr, stderr=self.stderr)
        call_command("quickstart", "--json", stdout=self.stdout, stderr=self.stderr, skip_checks=True)
