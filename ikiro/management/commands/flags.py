"""The operator's kill switch: turn a feature off for every organization within a second, and on again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError

from gateway.core.errors import GatewayError
from gateway.core.journal import OPERATOR
from gateway.platform.flags import catalogue, services
from tenants import killswitch
from tenants.context import public_scope

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="every flag with its default, and which are killed")
        for name, words in (("kill", "switch off for everybody"), ("revive", "give back what each organization has")):
            change = actions.add_parser(name, help=words)
            change.add_argument("key")
            change.add_argument("--reason", required=True, help="shown to every organization in /v1/flags")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            with public_scope():
                getattr(self, f"_{action}")(**{name: options[name] for name in ("key", "reason") if name in options})
        except GatewayError as error:
            raise CommandError(error.detail) from None

    def _list(self) -> None:
        killed = {kill.flag: kill for kill in killswitch.killed()}
        for key, flag in catalogue.FLAGS.items():
            state = f"killed since {killed[key].since:%Y-%m-%d %H:%M}Z: {killed[key].reason}" if key in killed else ""
            self.stdout.write(f"{key:34} {flag.default!s:8} {state}".rstrip())

    def _kill(self, key: str, reason: str) -> None:
        services.kill(key, reason=reason, actor=OPERATOR)
        log.warning("flag.killed", flag=key, reason=reason)
        self.stdout.write(f"{key} is off for everybody.")

    def _revive(self, key: str, reason: str) -> None:
        if not services.revive(key, reason=reason, actor=OPERATOR):
            raise CommandError(f"{key} was not killed.")
        log.warning("flag.revived", flag=key, reason=reason)
        self.stdout.write(f"{key} is again what each organization has.")
