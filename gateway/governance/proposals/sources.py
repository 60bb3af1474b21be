"""Where a proposal comes from, as ``gmail:msg_123`` or ``chat``: the kind before the colon, and what it refers to."""

from __future__ import annotations

import re

from gateway.core.plain import clean

# As long as the name of a memory scope may be: what is remembered of a proposal is searched under the kind.
MAX_KIND = 128
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


def kind_of(source: str) -> str:
    """The kind of a source; ``chat`` where it names none."""
    return clean(source).partition(":")[0].strip()[:MAX_KIND].strip() or "chat"


def name_of(source: str) -> str:
    """The kind as a name that says nothing of a person; ``other`` for words."""
    kind = kind_of(source)
    return kind if _NAME.match(kind) else "other"
