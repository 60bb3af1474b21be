"""What a narrowed key may see of memories: its subjects, its collections, its personas' private ones."""

from __future__ import annotations

from uuid import UUID

from gateway.core.errors import Forbidden
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory.placement import Reach
from gateway.knowledge.memory.types import ORG_KNOWLEDGE, Memory
from tenants import plans
from tenants.types import Principal


def check_whole_subject(principal: Principal, subject_id: str) -> None:
    """Raise Forbidden unless the key may act for all that is known of the subject: what hides memories of every
    collection is no business of a key that sees some."""
    principal.require_subject(subject_id)
    if principal.grant.memory_scopes is not None:
        detail = "This key is narrowed to some memory scopes, and this concerns all of them."
        raise Forbidden(detail, code="memory_scope_not_allowed")


def may_see(principal: Principal, found: Memory) -> bool:
    """Whether a memory of a subject that the key may use lies within what it is narrowed to."""
    return reach_of(principal).covers(found)


def seen(principal: Principal, memory_id: UUID) -> Memory:
    """The memory, when the key may see it. Raises MemoryNotFound or Forbidden. Inside the organization's scope."""
    found = memory.get(memory_id)
    principal.require_subject(found.subject_id)
    principal.require_memory_scopes((found.memory_scope,))
    if not may_see(principal, found):
        principal.require_persona(str(found.persona_id))
    return found


def changeable(principal: Principal, memory_id: UUID) -> Memory:
    """The memory, when the key may change it. Raises as ``seen`` does, and Forbidden for a passage of a document."""
    found = seen(principal, memory_id)
    if found.subject_pk == ORG_KNOWLEDGE.pk:
        raise Forbidden("This is a passage of a document; change or delete the document.", code="memory_of_document")
    return found


def scopes_of(principal: Principal, asked: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The memory scopes to look into: those asked for, else all that the key has; Forbidden for one that it has not."""
    principal.require_memory_scopes(asked or ())
    return asked if asked is not None else principal.grant.memory_scopes


def limit_of(principal: Principal) -> int | None:
    """How many memories the plan gives each subject."""
    return plans.limits(principal.organization).memories


def reach_of(principal: Principal) -> Reach:
    """Which memories this key may see, and its writes take over from."""
    return Reach(principal.grant.memory_scopes, principal.grant.persona_ids)
