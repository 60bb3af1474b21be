"""What binds a sealed turn to where it lives, and what is sealed."""

from __future__ import annotations

from uuid import UUID

from tenants.context import current


def place(row_id: UUID) -> tuple[str | UUID, ...]:
    """The context of one turn's seal: the organization in scope, the row, the field."""
    return (current().id, row_id, "conversation_turn")
