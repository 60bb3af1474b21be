"""A Lua script and the hash it is called by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from importlib import resources


@dataclass(frozen=True, slots=True)
class Script:
    """``source`` is run by its SHA-1, so its text travels only when a server has not seen it yet."""

    name: str
    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.source.encode(), usedforsecurity=False).hexdigest())


def load(package: str, name: str, *, prelude: Sequence[str] = ()) -> Script:
    """The script in ``package``'s file ``<name>.lua``, with the functions of each ``<prelude>.lua`` in front of it."""
    folder = resources.files(package)
    parts = [*(f"{part}.lua" for part in prelude), f"{name}.lua"]
    return Script(name, "\n".join((folder / part).read_text(encoding="utf-8") for part in parts))
