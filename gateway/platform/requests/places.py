"""What binds a sealed body to where it lives."""

from __future__ import annotations

from uuid import UUID

from tenants.context import current


def place(row_id: UUID) -> tuple[str | UUID, ...]:
    """The context of one body's seal: the organization in scope, the row, the field."""
    return (current().id, row_id, "request_body")
