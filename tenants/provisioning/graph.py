"""Which migrations exist, as one hash per side, so that an installation with nothing to do does nothing."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader


@lru_cache(maxsize=1)
def names() -> dict[str, tuple[str, ...]]:
    """``{"tenant": ("app.migration", …), "shared": (…)}``, sorted."""
    tenant_apps, shared_apps = set(settings.TENANT_APPS), set(settings.SHARED_APPS)
    found: dict[str, list[str]] = {"tenant": [], "shared": []}
    for app_label, name in MigrationLoader(None).disk_migrations:
        module = apps.get_app_config(app_label).name
        if module in tenant_apps:
            found["tenant"].append(f"{app_label}.{name}")
        elif module in shared_apps:
            found["shared"].append(f"{app_label}.{name}")
    return {side: tuple(sorted(migrations)) for side, migrations in found.items()}


def graph_hash(side: str = "tenant") -> str:
    """The SHA-256 over a side's migration names."""
    return hashlib.sha256("\n".join(names()[side]).encode()).hexdigest()
