"""Writes of providers and aliases, and the re-sealing of credentials."""

from __future__ import annotations

from gateway.platform.providers.services.aliases import MAX_TARGETS, MAX_WEIGHT, alias_remove, alias_set, pointers
from gateway.platform.providers.services.credentials import (
    note_test,
    provider_change,
    provider_create,
    provider_delete,
    provider_rotate,
    touch,
)
from gateway.platform.providers.services.resealing import reseal

__all__ = [
    "MAX_TARGETS",
    "MAX_WEIGHT",
    "alias_remove",
    "alias_set",
    "note_test",
    "pointers",
    "provider_change",
    "provider_create",
    "provider_delete",
    "provider_rotate",
    "reseal",
    "touch",
]
