"""One memory being changed: found, its subject held, and read again now that nobody else can change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.core import ids
from gateway.core.journal import Actor, Change, Event, record
from gateway.knowledge.memory import facts, selectors, storage
from gateway.knowledge.memory.errors import AlreadyRemembered, Contradicts, MemoryForgotten, VersionConflict
from gateway.knowledge.memory.placement import Kind, Reach, claim_again, place
from gateway.knowledge.memory.types import Memory, Status

_WORDINGS = """
WITH RECURSIVE chain AS (
    SELECT id FROM memory WHERE id = %s
    UNION SELECT m.id FROM memory m JOIN chain ON m.superseded_by_id = chain.id WHERE m.corrected
) SELECT id FROM chain
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a slot says to a claim that is made again: the columns of history when a newer fact is known, else nothing.
    ``lost`` counts the kept memories that it took over from, ``superseded`` names them."""

    history: dict[str, Any]
    lost: int
    superseded: tuple[UUID, ...]


COUNTED = (Status.ACTIVE, Status.SILENCED)


def held(memory_id: UUID) -> Memory:
    """The memory, with its subject's lock held until the transaction ends. Raises MemoryNotFound."""
    found = selectors.get(memory_id)
    storage.lock([(found.subject_pk, found.subject_id)])
    return selectors.get(memory_id)


def alive(memory: Memory) -> Memory:
    """The memory itself unless it is forgotten, which raises MemoryForgotten."""
    if memory.status == Status.FORGOTTEN:
        raise MemoryForgotten("This memory was forgotten.")
    return memory


def latest(memory: Memory) -> Memory:
    """What a memory was corrected to, or merged into, however often; itself when it was not."""
    while memory.corrected and memory.superseded_by is not None:
        memory = selectors.get(memory.superseded_by)
    return memory


def current(memory: Memory, expected_version: int | None, reach: Reach) -> Memory:
    """The memory itself when it is what its reader thinks it is. Raises MemoryForgotten, or VersionConflict with what
    came in between, as far as ``reach`` lets its reader see that."""
    alive(memory)
    if memory.superseded_by is not None:
        newest = selectors.get(storage.head(memory.id))
        raise conflict(newest, "Somebody else corrected it." if memory.corrected else "A newer fact took over.", reach)
    if expected_version is not None and expected_version != memory.version:
        raise conflict(memory, f"It is at version {memory.version}, not {expected_version}.", reach)
    return memory


def conflict(newest: Memory, why: str, reach: Reach) -> VersionConflict:
    shown: dict[str, Any] = {"id": newest.public_id, "version": newest.version}
    if reach.covers(newest):
        shown |= {
            "text": newest.text, "value": newest.value, "status": newest.status, "changed_by": newest.created_by,
            "changed_at": newest.recorded_at.isoformat(),
        }  # fmt: skip
    extra = {"current_version": newest.version, "current": shown}
    return VersionConflict(f"{why} Read {newest.public_id} and decide again.", extra=extra)


def settle(memory: Memory, now: datetime, reach: Reach, *, besides: tuple[UUID, ...] = ()) -> Settled:
    """Find the place of a corrected or restored memory among its slot's facts and change those that it takes over from.
    Raises AlreadyRemembered when one of them says the same, Contradicts when one of them is beyond ``reach``."""
    known = facts.of_slots([(memory.subject_pk, memory)], besides=[memory.id, *besides])
    same_slot = known.get((memory.subject_pk, memory.slot or ""), [])
    placed = place(claim_again(memory), same_slot, reach=reach)
    if placed.kind == Kind.PROPOSE:
        raise Contradicts("This contradicts a memory beyond this key's reach; store it anew and it becomes a proposal.")
    if placed.twin is not None and placed.twin.is_current:
        raise already(placed.twin.id)
    before = sum(fact.is_current for fact in same_slot)
    for rival in placed.rivals:
        rival.close(memory.id, memory.valid_from or memory.occurred_at, now)
    facts.write_back(same_slot)
    lost = before - sum(fact.is_current for fact in same_slot)
    if placed.kind == Kind.HISTORY:
        history = {"valid_to": placed.until, "retired_at": now, "superseded_by_id": placed.successor}
        return Settled(history, lost, ())
    return Settled({}, lost, tuple(rival.id for rival in placed.rivals if not rival.is_current))


def wordings(memory: Memory) -> list[Memory]:
    """The memory, what it was corrected from and what was merged into it: they say the same thing."""
    with connection.cursor() as cursor:
        cursor.execute(_WORDINGS, [memory.id])
        earlier = [row[0] for row in cursor.fetchall() if row[0] != memory.id]
    return [memory, *selectors.get_many(earlier)]


def already(other: UUID) -> AlreadyRemembered:
    """The refusal of what another memory says."""
    name = ids.public("mem", other)
    return AlreadyRemembered(f"{name} says the same already.", extra={"memory_id": name})


def trail(action: str, memory: Memory, actor: Actor, request_id: UUID | None, *events: Event, **detail: Any) -> None:
    """The audit entry of a change of one memory, with its events."""
    change = Change(
        action, actor, memory.public_id, subject_id=memory.subject_id, persona_id=memory.persona_id,
        request_id=request_id, detail=detail,
    )  # fmt: skip
    record(change, *events)


def named(also: Iterable[UUID]) -> dict[str, list[str]]:
    """The detail of an audit entry that names what went along; nothing when nothing did."""
    names = [ids.public("mem", one) for one in also]
    return {"also": names} if names else {}


def event_of(name: str, memory: Memory, **payload: Any) -> Event:
    return Event(
        name, {"memory_id": memory.public_id, **payload}, subject_id=memory.subject_id, persona_id=memory.persona_id
    )
