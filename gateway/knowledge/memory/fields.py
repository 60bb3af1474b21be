"""pgvector in the database, without a package for it: the statements that use vectors are written in SQL."""

from __future__ import annotations

from django.db import models


class VectorField(models.Field):  # type: ignore[type-arg]
    """pgvector's ``vector`` without a fixed number of dimensions (ADR-0007). Written and read by SQL alone."""

    def db_type(self, connection: object) -> str:
        return "vector"
