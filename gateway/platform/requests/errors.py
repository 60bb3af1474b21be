"""What can be wrong with a wish about requests."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import BadRequest, Conflict, FieldProblem, RateLimited, Unavailable


class InvalidQuery(BadRequest):
    """A search that cannot be read. ``position`` counts characters of ``q`` from 0; ``allowed`` is what could stand
    there."""

    default_code = "invalid_query"

    def __init__(self, message: str, *, position: int, allowed: Sequence[str] = ()) -> None:
        shown = f"{message} (at character {position} of q)."
        extra = {"position": position, "allowed": list(allowed)}
        super().__init__(shown, problems=(FieldProblem("#/query/q", "invalid_query", message),), extra=extra)


class SearchTooSlow(Unavailable):
    """The search would have to read too many requests; narrowed in time it answers."""

    default_code = "search_too_slow"


class TooManyTails(RateLimited):
    """The organization follows its requests as often as it may."""

    default_code = "too_many_tails"


class NoBody(Conflict):
    """The request's body was not stored, or not long enough."""

    default_code = "no_body"


class BodyTruncated(Conflict):
    """The request's body is stored in part only."""

    default_code = "body_truncated"
