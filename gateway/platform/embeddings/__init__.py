"""Vectors for queries and for what is stored: the built-in model's, or those of an organization's own endpoint."""

from __future__ import annotations

from gateway.platform.embeddings.choice import active_model, is_elsewhere
from gateway.platform.embeddings.services import close, query, texts, texts_now
from gateway.platform.embeddings.types import Embedded
from gateway.platform.embeddings.vectors import similarity

__all__ = ["Embedded", "active_model", "close", "is_elsewhere", "query", "similarity", "texts", "texts_now"]
