"""Re-seal what is sealed (providers' keys, write targets, kept bodies and turns, second factors, client secrets) with
the key ring's active key. Safe to stop and to run again.

Put a new key on the ring and make it active, restart, run this, and take the old key off the ring once it says that
nothing is left.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.core import crypto
from gateway.engine.conversations import services as conversations
from gateway.governance.proposals import services as proposals
from gateway.platform.providers import services
from gateway.platform.requests import services as requests
from tenants import resealing, selectors
from tenants.context import public_scope, scope
from tenants.types import OrgRef


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=100, help="Credentials per transaction (default 100).")

    def handle(self, *args: Any, **options: Any) -> None:
        with public_scope():
            changed, lost_here = resealing.reseal()
        unreadable = len(lost_here)
        for name in lost_here:
            self.stderr.write(f"{name} is sealed by a key that is not on the ring")
        if changed:
            self.stdout.write(f"people and sign-on: {changed}")
        for organization in selectors.organizations(state="ready"):
            done, lost = self._reseal(organization.ref, max(1, options["batch"]))
            changed, unreadable = changed + done, unreadable + len(lost)
            for provider_id in lost:
                self.stderr.write(f"{organization.slug}: {provider_id} is sealed by a key that is not on the ring")
            if done:
                self.stdout.write(f"{organization.slug}: {done}")
        self.stdout.write(f"{changed} re-sealed with {crypto.active_kid()}")
        if unreadable:
            raise CommandError(f"{unreadable} could not be read; put their key back on the ring, or set them anew.")

    def _reseal(self, ref: OrgRef, batch: int) -> tuple[int, list[str]]:
        changed, after = 0, None
        unreadable: list[str] = []
        with scope(ref):
            for reseal in (services.reseal, requests.reseal, conversations.reseal, proposals.reseal):
                while True:
                    resealed = reseal(limit=batch, after=after)
                    changed, after = changed + resealed.changed, resealed.last
                    unreadable += resealed.unreadable
                    if after is None:
                        break
        return changed, unreadable
