"""How much a text looks like an attempt to give the model other instructions: a score with its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.governance.policies.guardrails.normal import MOST_CHARS, Read, decoded, disguised, read
from gateway.governance.policies.guardrails.signals import SIGNALS

_HIDDEN = 0.2  # an attempt that was disguised says more than one that stands there


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` from 0 to 1; ``signals`` are the names of what was seen, sorted; ``spans`` where, in the text as it was
    given (not for what was only found behind a disguise)."""

    value: float
    signals: tuple[str, ...]
    spans: tuple[tuple[int, int], ...] = ()


def score(text: str) -> Score:
    """The score of one text, of which the first million characters are read. Pure; linear in the length."""
    whole = text[:MOST_CHARS]
    first = read(whole)
    seen, spans = _look(first)
    others = [Read(other, None) for other in disguised(first.text)]
    others += [read(inside) for inside in decoded(whole)]
    hidden: dict[str, float] = {}
    for other in others:
        found, _ = _look(other)
        hidden |= {name: max(weight, hidden.get(name, 0)) for name, weight in found.items() if name not in seen}
    if hidden:
        seen |= hidden | {"disguised": _HIDDEN}
    return Score(total(seen), tuple(sorted(seen)), spans)


def total(weights: Mapping[str, float]) -> float:
    """``1 - Π(1 - w)`` of each signal's heaviest find, to four places."""
    rest = 1.0
    for name in sorted(weights):
        rest *= 1 - weights[name]
    return round(1 - rest, 4)


def _look(given: Read) -> tuple[dict[str, float], tuple[tuple[int, int], ...]]:
    seen: dict[str, float] = {}
    spans: list[tuple[int, int]] = []
    for signal in SIGNALS:
        for match in signal.pattern.finditer(given.text):
            seen[signal.name] = max(signal.weight, seen.get(signal.name, 0.0))
            spans.append(given.original(*match.span()))
    return seen, _merged(spans)


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that overlap joined."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return tuple(merged)
