"""How a subject can be wrong."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound
from gateway.knowledge.subjects.types import MAX_SUBJECT_ID


class SubjectNotFound(NotFound):
    default_code = "subject_not_found"


class SubjectErasing(Conflict):
    """All that is known of the subject is being erased. Once that is done the id may be used anew."""

    default_code = "subject_erasing"

    def __init__(self, subject_id: str) -> None:
        super().__init__(f"Subject {subject_id!r} is being erased; try again when that is done.")


class InvalidSubjectId(BadRequest):
    """The id is empty, too long, or holds what cannot be shown or stored."""

    def __init__(self) -> None:
        message = f"must be 1 to {MAX_SUBJECT_ID} printable characters, without spaces at either end"
        super().__init__(
            f"subject_id {message}.", problems=(FieldProblem("#/subject_id", "invalid_subject_id", message),)
        )
