"""Wiring at start-up: the Celery application and the steps that make an organization ready."""

from __future__ import annotations

from django.apps import AppConfig


class IkiroConfig(AppConfig):
    name = "ikiro"
    label = "ikiro"

    def ready(self) -> None:
        from ikiro import logs, provisioning  # noqa: PLC0415 - models are loaded by now, not before
        from ikiro.celery import app  # noqa: PLC0415

        logs.configure()
        app.set_default()
        provisioning.register()
