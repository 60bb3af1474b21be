"""What of a write would be refused, found out before anything of it is counted or kept.

Memory operations are counted before they are done, so that a budget holds; what is refused must not be among them, and
leaves no subject behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction

from gateway.core import clock
from gateway.core.errors import GatewayError
from gateway.knowledge.memory import drafts
from gateway.knowledge.memory import selectors as memories
from gateway.knowledge.memory import services as memory
from gateway.knowledge.memory.types import NewMemory
from gateway.knowledge.subjects import selectors as known_subjects
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.errors import SubjectErasing
from gateway.surfaces.v1.memories_access import limit_of, reach_of
from tenants.types import Principal

Item = tuple[str, NewMemory]


def check(subject_id: str, new: NewMemory) -> None:
    """Raise for what is wrong with an item whatever is known: InvalidSubjectId, InvalidMemory."""
    subjects.check(subject_id)
    drafts.check(new, clock.now())


def refusals(items: Sequence[Item], principal: Principal) -> dict[int, GatewayError]:
    """Why items that passed ``check`` would be refused now, by their place. Nothing is written: where it depends on
    what is known, the write itself is tried and undone. Runs inside the organization's scope."""
    erasing = known_subjects.erasing({name for name, _ in items})
    found: dict[int, GatewayError] = {
        place: SubjectErasing(name) for place, (name, _) in enumerate(items) if name in erasing
    }
    rest = {place: item for place, item in enumerate(items) if place not in found}
    if rest and _may_be_refused(list(rest.values()), limit_of(principal)):
        tried = zip(rest, _tried(list(rest.values()), principal), strict=True)
        found |= {place: error for place, error in tried if error is not None}
    return found


def _may_be_refused(items: Sequence[Item], limit: int | None) -> bool:
    """Only what a program read out, and what the plan may have no room for, is refused for what is known."""
    if any(new.extracted for _, new in items):
        return True
    if limit is None:
        return False
    more = Counter(name for name, _ in items)
    there = {name: memories.count(one.pk) for name, one in known_subjects.find_many(more).items()}
    return any(there.get(name, 0) + count > limit for name, count in more.items())


def _tried(items: Sequence[Item], principal: Principal) -> list[GatewayError | None]:
    with transaction.atomic():
        refs = subjects.ensure_many({name for name, _ in items}, actor=principal.actor)
        results = memory.create_many(
            [(refs[name], new) for name, new in items],
            actor=principal.actor, limit_per_subject=limit_of(principal), reach=reach_of(principal),
        )  # fmt: skip
        transaction.set_rollback(True)
    return [result.error for result in results]
