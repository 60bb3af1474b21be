"""For tests of parts that only read settings: make sure that there are some, without setting Django up."""

from __future__ import annotations

import os

from django.conf import settings


def ensure_settings() -> None:
    """Configure the few settings these parts read, unless the project's settings are in use."""
    if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
        settings.configure(
            IKIRO_EGRESS_ALLOW=[],
            IKIRO_PROVIDERS={"openai": {"base_url": "", "api_key": ""}},
            IKIRO_MODEL_ALIASES={},
            IKIRO_UPSTREAM_CONNECT_S=5.0,
            IKIRO_UPSTREAM_FIRST_TOKEN_S=120.0,
            IKIRO_UPSTREAM_STALL_S=60.0,
            IKIRO_UPSTREAM_TOTAL_S=600.0,
            IKIRO_UPSTREAM_RETRIES=2,
        )
