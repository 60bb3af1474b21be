"""Celery finds the slice's tasks here."""

from tenants.provisioning.service import provision

__all__ = ["provision"]
