"""Memories that recall shows as one, because they have the same words: whoever said them, in whatever collection, with
whatever stands between the words. Whoever lets one go lets go of all of them, or the next recall shows the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from gateway.knowledge.memory import selectors
from gateway.knowledge.memory.changing import wordings
from gateway.knowledge.memory.placement import Reach
from gateway.knowledge.memory.types import Memory
from gateway.knowledge.memory.wording import same_words

# A body of plain ASCII has every word of its twin as it stands in lower case; any other body is looked at.
_CANDIDATES = """
SELECT id, body FROM memory WHERE subject_pk = %s AND status <> 'forgotten'
    AND (octet_length(body) <> length(body) OR strpos(lower(body COLLATE "C"), %s) > 0)
"""


@dataclass(frozen=True, slots=True)
class Alike:
    """The twins within somebody's reach, each followed by the wordings it was corrected from, and how many lie beyond
    it."""

    memories: tuple[Memory, ...] = ()
    beyond: int = 0


def of(subject_pk: UUID, texts: Iterable[str], *, besides: Collection[UUID], within: Reach) -> Alike:
    """The subject's memories with the words of one of ``texts`` that are not forgotten, ``besides`` left out. An
    earlier wording goes alone: what it was corrected to says something else."""
    found = [one for one in _alike(subject_pk, set(texts)) if one.id not in besides]
    near = [one for one in found if within.covers(one)]
    seen = set(besides)
    memories: list[Memory] = []
    for twin in near:
        for one in [twin] if twin.corrected else wordings(twin):
            if one.id not in seen:
                seen.add(one.id)
                memories.append(one)
    return Alike(tuple(memories), len(found) - len(near))


def _alike(subject_pk: UUID, texts: set[str]) -> list[Memory]:
    found: set[UUID] = set()
    with connection.cursor() as cursor:
        for words in {same_words(text) for text in texts}:
            cursor.execute(_CANDIDATES, [subject_pk, max(words, key=len)])
            found |= {memory_id for memory_id, body in cursor.fetchall() if same_words(body) == words}
    return selectors.get_many(sorted(found))
