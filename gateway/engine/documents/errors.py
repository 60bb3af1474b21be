"""What can be wrong with a document."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, NotFound


class DocumentNotFound(NotFound):
    default_code = "document_not_found"


class DocumentNotFailed(Conflict):
    default_code = "document_not_failed"


class DocumentBusy(Conflict):
    default_code = "document_busy"


class UnreadableDocument(BadRequest):
    """The bytes are not what they are said to be, or hold no text. ``code`` says which."""

    default_code = "document_unreadable"
