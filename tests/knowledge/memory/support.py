"""Short ways to the things that memory tests say again and again."""

from __future__ import annotations

from typing import Any

from gateway.core import ids
from gateway.core.journal import Actor
from gateway.knowledge.memory import services
from gateway.knowledge.memory.recall import recall
from gateway.knowledge.memory.types import Memory, NewMemory, Provenance, Recall, RecallQuery
from gateway.knowledge.subjects.types import SubjectRef

ALICE = Actor("key", "key_alice")


def person(name: str = "usr_1") -> SubjectRef:
    return SubjectRef(ids.uuid7(), name)


def new(text: str, *, source: str = "chat", ref: str | None = None, **fields: Any) -> NewMemory:
    return NewMemory(text, Provenance(source, ref, fields.pop("snippet", None)), **fields)


def remember(subject: SubjectRef, text: str, *, limit: int | None = None, **fields: Any) -> Memory:
    return services.create(subject, new(text, **fields), actor=ALICE, limit_per_subject=limit)


def ask(subject: SubjectRef, query: str, **fields: Any) -> Recall:
    return recall(RecallQuery(subject.pk, query, **fields))


def texts(found: Recall) -> list[str]:
    return [memory.text for memory in found.memories]
