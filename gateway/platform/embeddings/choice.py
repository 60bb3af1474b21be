"""Whose model an organization uses, from what this process knows of it: no I/O."""

from __future__ import annotations

from django.conf import settings

from gateway.core.embedder.frames import MODEL_ID
from gateway.platform.embeddings.types import Choice
from tenants.types import Organization


def choice_of(organization: Organization) -> Choice | None:
    """The organization's endpoint where it named one, else the built-in model; None where neither is there."""
    chosen = organization.settings
    if chosen.embedding_model:
        width = f"#{chosen.embedding_dimensions}" if chosen.embedding_dimensions else ""
        return Choice(
            f"{chosen.embedding_model}{width}",
            chosen.embedding_model,
            chosen.embedding_dimensions,
            chosen.embedding_shorten,
        )
    return Choice(MODEL_ID) if settings.IKIRO_EMBEDDER_SOCKET else None


def active_model(organization: Organization) -> str | None:
    """The ``model_id`` that recall compares with now; None where nothing is embedded."""
    choice = choice_of(organization)
    return None if choice is None else choice.model_id


def is_elsewhere(organization: Organization) -> bool:
    """Whether what is embedded leaves for a server of somebody else's."""
    choice = choice_of(organization)
    return choice is not None and choice.endpoint is not None
