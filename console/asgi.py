"""The console alone: ``python -m ikiro.serve console.asgi:application`` with ``IKIRO_GATEWAY_URL``."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ikiro.settings.console")
django.setup()

from console.lane import ConsoleLane  # noqa: E402 - Django must be set up first

application = ConsoleLane()
