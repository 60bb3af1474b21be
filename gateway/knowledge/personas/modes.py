"""What a mode forbids, whatever the cartridge says. The prompt asks for it; recall and tools must hold it.

A model that never saw a private memory cannot tell it. So whoever prepares a turn narrows recall and the offered tools
by these limits; the words that ``compile.situation`` adds are for style.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.knowledge.personas.types import Mode


@dataclass(frozen=True, slots=True)
class ModeLimits:
    """``None`` limits nothing. ``visibilities`` are the values of a memory's ``scope`` that may be recalled,
    ``memory_scopes`` the collections; ``write_types`` the proposal types that may be offered; ``history`` says whether
    the relationship's stage and earlier conversations may be used."""

    visibilities: tuple[str, ...] | None
    memory_scopes: tuple[str, ...] | None
    write_types: tuple[str, ...] | None
    history: bool

    def narrow_scopes(self, wanted: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The memory scopes that remain of those wanted (None: all)."""
        if self.memory_scopes is None:
            return wanted
        return self.memory_scopes if wanted is None else tuple(name for name in wanted if name in self.memory_scopes)

    def allows_write(self, proposal_type: str) -> bool:
        """Whether a write of this type may be proposed at all."""
        return self.write_types is None or proposal_type in self.write_types


_DIRECT = ModeLimits(visibilities=None, memory_scopes=None, write_types=None, history=True)
# Coordination only: what the organization knows, and dates. Nothing that was learnt of one person, from their words or
# their accounts, reaches the prompt; nothing said before others becomes a memory about one of them.
_GROUP = ModeLimits(
    visibilities=("org",), memory_scopes=("org_kb",), write_types=("calendar.create",), history=False
)  # fmt: skip


def limits(mode: Mode) -> ModeLimits:
    """What holds in this mode."""
    return _GROUP if mode == "group" else _DIRECT
