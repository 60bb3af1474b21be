"""How deep free JSON may be nested: what is deeper ends as an internal error in one reader or another, at the latest
when it is shown."""

from __future__ import annotations

from typing import Any

MOST_LEVELS = 32
# Of a whole body, in which free JSON stands some levels down; what is deeper is not even handed on.
MOST_BODY_LEVELS = 64
TOO_DEEP = f"is nested deeper than {MOST_LEVELS} levels"


def is_too_deep(value: Any, most: int = MOST_LEVELS) -> bool:
    """Whether lists and objects stand in each other more than ``most`` times. ``[]`` is one level, ``1`` none."""
    level = [value]
    for _ in range(most + 1):
        level = [one for one in level if isinstance(one, dict | list | tuple)]
        if not level:
            return False
        level = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
    return True
