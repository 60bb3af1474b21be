"""How an idempotency key is refused."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict


class InvalidKey(BadRequest):
    status, title, default_code = 400, "The request is not valid", "invalid_idempotency_key"


class IdempotencyMismatch(BadRequest):
    """The key was used for another request: other path, body or one of the headers that change what it means."""

    default_code = "idempotency_mismatch"


class InFlight(Conflict):
    """The first request with this key is still worked on. Always with ``retry_after``."""

    default_code = "idempotency_in_flight"


class AnswerWithdrawn(Conflict):
    """The work was done, and its answer tells what may not be told any more."""

    default_code = "idempotency_answer_withdrawn"


class AnswerTooLarge(Conflict):
    """The work was done, but its answer was larger than what is kept."""

    default_code = "idempotency_answer_too_large"
