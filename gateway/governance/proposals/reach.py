"""What a caller may see and touch of memories through proposals: no more than without them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gateway.core.endpoint import Scope
from gateway.core.errors import Forbidden
from tenants.types import Principal


def within(
    scopes: Collection[str] | None, personas: Collection[str] | None, memory_scope: str | None, private_to: str | None
) -> bool:
    """Whether a memory of this collection (in lower case), told to this persona in private (None: to all), is one that
    a key narrowed to these may touch."""
    return (scopes is None or memory_scope in {one.casefold() for one in scopes}) and (
        personas is None or private_to is None or private_to in personas
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What a key is narrowed to, ``None`` being no restriction. ``reads`` says whether it may read memories at all."""

    memory_scopes: tuple[str, ...] | None = None
    personas: tuple[str, ...] | None = None
    reads: bool = True

    def covers(self, memory_scope: str | None, private_to: str | None = None) -> bool:
        """Whether a memory of this collection, told to this persona in private, lies within."""
        return within(self.memory_scopes, self.personas, memory_scope, private_to)

    @property
    def is_narrow(self) -> bool:
        """Whether there are memories that it may not touch."""
        return self.memory_scopes is not None or self.personas is not None

    def as_json(self) -> dict[str, Any] | None:
        """As it is kept with a decision; None when there is nothing to keep."""
        return {"memory_scopes": self.memory_scopes, "personas": self.personas} if self.is_narrow else None


EVERYTHING = Reach()


def reach_of(principal: Principal | None) -> Reach:
    """The reach of a caller; policies, rules and we ourselves have none to heed."""
    if principal is None:
        return EVERYTHING
    grant = principal.grant
    reads = grant.scopes is None or Scope.MEMORIES_READ in grant.scopes
    return Reach(grant.memory_scopes, grant.persona_ids, reads)


def kept(stored: dict[str, Any] | None) -> Reach:
    """A reach that was kept with a decision."""
    if stored is None:
        return EVERYTHING
    scopes, personas = stored["memory_scopes"], stored["personas"]
    return Reach(None if scopes is None else tuple(scopes), None if personas is None else tuple(personas))


def check_allowed(
    principal: Principal | None, subject_id: str | None, persona_id: str | None, memory_scope: str | None
) -> None:
    """Raise Forbidden unless the caller's key covers this subject, persona and collection. What has none of them
    belongs to no scoped key."""
    if principal is None:
        return
    key = principal.grant
    if key.subject_ids is not None and subject_id not in key.subject_ids:
        raise Forbidden("This key may not act for the proposal's subject.", code="subject_not_allowed")
    if key.persona_ids is not None and persona_id not in key.persona_ids:
        raise Forbidden("This key may not act for the proposal's persona.", code="persona_not_allowed")
    if key.memory_scopes is not None and memory_scope is None:
        raise Forbidden("This key may not touch the proposal's memory.", code="memory_scope_not_allowed")
    if memory_scope is not None:
        principal.require_memory_scopes((memory_scope,))
