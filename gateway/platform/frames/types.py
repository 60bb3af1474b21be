"""What is kept of a stream, and for how long."""

from __future__ import annotations

from enum import StrEnum

import msgspec

# After the last frame.
KEPT_S = 300
STREAM_BYTES = 4 * 1024 * 1024


class End(StrEnum):
    """How a stream came to its end."""

    WHOLE = "whole"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Head(msgspec.Struct, frozen=True):
    """Whose stream it is: ``caller`` as ``kind:id`` of the grant, and whom it is about, for who else may see it.
    ``dialect`` is what its clients read."""

    caller: str
    content_type: str
    persona_id: str | None = None
    subject_id: str | None = None
    dialect: str | None = None
