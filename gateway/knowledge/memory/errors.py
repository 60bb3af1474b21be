"""What can be wrong with a memory or a question to memory."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, FieldProblem, Forbidden, Gone, NotFound, PaymentRequired


class MemoryNotFound(NotFound):
    default_code = "memory_not_found"


class MemoryForgotten(Gone):
    default_code = "memory_forgotten"


class VersionConflict(Conflict):
    """Somebody else corrected it, or a newer fact took over; ``extra`` has what there is now."""

    default_code = "version_conflict"


class AlreadyRemembered(Conflict):
    """What a restored or corrected memory would say is said by another active one, named in ``extra``."""

    default_code = "memory_exists"


class Contradicts(Conflict):
    """It contradicts what is better known, or what lies beyond the writer's reach; it takes a proposal."""

    default_code = "memory_contradicts"


class NotRemembered(Conflict):
    """A program's write that would bring back what was forgotten, repeat what was recalled, or make the assistant's
    words a fact. Each rule has its own code."""

    default_code = "restates_memory"


class SourceRevoked(Forbidden):
    """The subject took back the consent to this source; nothing is read out of it until it is given again."""

    default_code = "source_revoked"


class BoundaryNotFound(NotFound):
    default_code = "boundary_not_found"


class InvalidMemory(BadRequest):
    """One or more fields of a memory or a recall are wrong; each problem names its field and its limit."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        detail = "; ".join(f"{problem.pointer.removeprefix('#/')}: {problem.message}" for problem in problems)
        super().__init__(detail + ".", problems=tuple(problems))


class MemoryLimitReached(PaymentRequired):
    """The plan's number of memories for one subject is used up."""

    default_code = "plan_limit"

    def __init__(self, subject_id: str, limit: int) -> None:
        super().__init__(
            f"Subject {subject_id!r} holds {limit} memories, which is all that the plan includes for one subject.",
            extra={"limit": "memories_per_subject", "maximum": limit},
        )
