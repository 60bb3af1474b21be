"""Rule f of the merge: allow-lists and deny-lists. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from gateway.governance.policies.said import BUILT_IN, KEY, REQUEST, Said, locks_of, source_rule, specific_default
from gateway.governance.policies.terms import Fields, Overlay, TraceLine
from gateway.governance.policies.types import ALLOWED, DENIED, GlobRule

_Names = tuple[str, ...]


def intersection(
    name: str,
    ordered: Sequence[Overlay],
    pick: Callable[[Fields], _Names | None],
    trace: list[TraceLine],
    *,
    built_in: _Names | None,
    wish: _Names | None = None,
    key: _Names | None = None,
    are_globs: bool = False,
) -> _Names | None:
    """Rules b, c and f for an allow-list; None is "everything". Of globs, those are kept that the other list covers."""
    default = specific_default(ordered, pick)
    chosen: Said[_Names | None] = Said(built_in, BUILT_IN)
    if wish is not None:
        chosen = Said(wish, REQUEST)
    elif default is not None:
        chosen = Said(default.value, default.by)
    locks = locks_of(ordered, pick) + ([Said(key, KEY)] if key is not None else [])
    value, narrowed_by = chosen.value, []
    if chosen.by == BUILT_IN and built_in == () and locks:
        value = None  # nothing set and something locked: the locks say what is allowed
    for lock in locks:
        kept = lock.value if value is None else _both(value, lock.value, are_globs=are_globs)
        if kept != value:
            narrowed_by.append(lock.by)
        value = kept
    value = tuple(dict.fromkeys(value)) if value is not None else None
    rule = "allow-lists intersect" if narrowed_by else source_rule(chosen.by)
    shown = None if value is None else list(value)
    locked_by = ", ".join(dict.fromkeys(narrowed_by)) or (locks[0].by if locks else None)
    trace.append(TraceLine(name, shown, chosen.by, locked_by, rule))
    return value


def _both(value: _Names, lock: _Names, *, are_globs: bool) -> _Names:
    """What both lists allow, in the order of the first."""
    if not are_globs:
        return tuple(entry for entry in value if entry in lock)
    inside = [entry for entry in value if _covered(entry, lock)]
    return (*inside, *(entry for entry in lock if entry not in inside and _covered(entry, value)))


def _covered(entry: str, by: _Names) -> bool:
    """Whether all that a glob matches is matched by one of ``by``: itself, or shown by what its stars may stand for.
    Rather says no than yes: a glob with ``?`` or a class is covered only by itself or by a mere ``*``, and covers
    nothing but itself, for a class (``[!c]``) may match what a star is tried with and not all that it stands for."""
    for glob in by:
        if glob in (entry, "*"):
            return True
        plain = not set(entry + glob) & set("?[")
        if plain and all(fnmatchcase(entry.replace("*", star), glob) for star in ("", "\0\0\0")):
            return True
    return False


def globs(
    name: str, ordered: Sequence[Overlay], pick: Callable[[Fields], _Names | None], trace: list[TraceLine]
) -> tuple[GlobRule, ...]:
    """Every locked allow-list, and the most specific default: what is asked for must match each."""
    rules = [GlobRule(lock.value, lock.by, locked=True) for lock in locks_of(ordered, pick)]
    if default := specific_default(ordered, pick):
        rules.append(GlobRule(default.value, default.by, locked=False))
    trace.extend(
        TraceLine(name, list(rule.globs), rule.set_by, rule.set_by if rule.locked else None, ALLOWED) for rule in rules
    )
    return tuple(rules)


def denied(
    name: str, ordered: Sequence[Overlay], pick: Callable[[Fields], _Names], trace: list[TraceLine]
) -> tuple[tuple[str, str], ...]:
    """Every denied glob with the first who said it. A denial in a default cannot be undone either."""
    found: dict[str, str] = {}
    for overlay in ordered:
        for glob in (*pick(overlay.locks), *pick(overlay.defaults)):
            found.setdefault(glob, overlay.name)
    trace.extend(TraceLine(name, glob, by, by, DENIED) for glob, by in found.items())
    return tuple(found.items())
