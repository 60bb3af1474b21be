"""What can be wrong with a memory or a question to memory."""

from __future__ import annotations

from gateway.core.errors import BadRequest, FieldProblem, NotFound, PaymentRequired


class MemoryNotFound(NotFound):
    default_code = "memory_not_found"


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
