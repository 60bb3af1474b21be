"""The web console: pages over the API, nothing of the gateway's own code."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
    label = "console"
