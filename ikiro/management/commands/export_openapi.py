"""Write the API's OpenAPI document to docs/openapi/v1.json, or with --check fail when the committed one differs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        from gateway.surfaces.v1.api import api  # noqa: PLC0415 - loads every slice

        document = json.dumps(api.get_openapi_schema(), indent=1, sort_keys=True, default=str) + "\n"
        place = settings.BASE_DIR / "docs" / "openapi" / "v1.json"
        if not check:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(document)
        elif not place.exists() or place.read_text() != document:
            raise CommandError("docs/openapi/v1.json is out of date; run: python manage.py export_openapi")
