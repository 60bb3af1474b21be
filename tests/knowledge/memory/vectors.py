"""Embeddings by hand: a few numbers instead of a model."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory.types import Meaning, Subject

MODEL = "test/three"


def meaning(*numbers: float, model: str = MODEL) -> Meaning:
    return Meaning(model, numbers)


def embed(subject: Subject, memory_id: UUID, numbers: Sequence[float], model: str = MODEL) -> None:
    """Give a stored memory its embedding; nothing else would during a test that rolls back."""
    vector = "[" + ",".join(str(number) for number in numbers) + "]"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO memory_embedding (memory_id, model_id, subject_pk, emb) VALUES (%s, %s, %s, %s::vector)",
            [memory_id, model, subject.pk, vector],
        )
