"""Commands as bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

import hiredis

Argument: TypeAlias = str | bytes | int | float
Words: TypeAlias = tuple[Argument, ...]

# In C. The library's own annotation speaks of a tuple of exactly one word.
pack = cast(Callable[[Words], bytes], hiredis.pack_command)
