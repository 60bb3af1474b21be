"""Celery finds the slice's tasks here."""

from tenants.people.closing_mail import tell_owners
from tenants.people.mail import send_invitation
from tenants.provisioning.service import provision

__all__ = ["provision", "send_invitation", "tell_owners"]
