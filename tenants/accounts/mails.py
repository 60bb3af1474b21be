"""Mails to persons: one text file each below ``templates/accounts/``, its first line the subject."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template import Context, engines


def send(name: str, email: str, context: dict[str, Any]) -> None:
    """Render and send one mail. ``name`` is the last part of allauth's template prefix."""
    values = {"console_url": settings.IKIRO_CONSOLE_URL, "email": email, **context}
    template: Any = engines["django"].get_template(f"accounts/{name.rpartition('/')[2]}.txt")
    text = template.template.render(Context(values, autoescape=False))  # plain text has nothing to escape
    subject, _, body = text.strip().partition("\n")
    EmailMessage(subject.strip(), body.strip() + "\n", settings.DEFAULT_FROM_EMAIL, [email]).send()
