"""Rule d of the merge: the lists of sentences (``do``, ``dont``, ``disclaimers``). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.governance.policies.terms import Overlay, TraceLine

PERSONA = "persona"
_PERSONA_RANK = 100


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One rule in words, whose it is, its authority (0 is highest) and whether it is locked."""

    text: str
    by: str
    rank: int
    locked: bool

    @property
    def key(self) -> str:
        """What makes two sentences the same rule: the words, not their case, spacing or final stop."""
        return " ".join(self.text.casefold().split()).rstrip(".!")


@dataclass(frozen=True, slots=True)
class Lists:
    """What came out, the most authoritative first. ``persona_do`` and ``persona_dont`` are those of ``do`` and ``dont``
    that nobody but the persona says."""

    do: tuple[str, ...]
    dont: tuple[str, ...]
    disclaimers: tuple[str, ...]
    persona_do: tuple[str, ...]
    persona_dont: tuple[str, ...]


def merge_lists(
    ordered: Sequence[Overlay], persona_do: Sequence[str], persona_dont: Sequence[str], trace: list[TraceLine]
) -> Lists:
    """The lists, with a line in the trace for each sentence kept or dropped."""
    do = _union(_sentences(ordered, "do", persona_do))
    dont = _union(_sentences(ordered, "dont", persona_dont))
    for key in sorted(do.keys() & dont.keys()):
        if _survives(do[key], dont[key]):
            lost = dont.pop(key)
            winner, name, rule = do[key], "dont", "a locked do is not argued away from below"
        else:
            lost = do.pop(key)
            winner, name, rule = dont[key], "do", "dont beats do"
        trace.append(TraceLine(name, f"dropped: {lost.text}", lost.by, winner.by if winner.locked else None, rule))
    disclaimers = _union(_sentences(ordered, "disclaimers", ()))
    for name, kept in (("do", do), ("dont", dont), ("disclaimers", disclaimers)):
        for sentence in kept.values():
            locked_by = sentence.by if sentence.locked else None
            trace.append(TraceLine(name, sentence.text, sentence.by, locked_by, "lists add up"))
    own_do, own_dont = ([one for one in kept.values() if one.by == PERSONA] for kept in (do, dont))
    return Lists(*map(_texts, (do.values(), dont.values(), disclaimers.values(), own_do, own_dont)))


def _sentences(ordered: Sequence[Overlay], name: str, persona: Sequence[str]) -> list[_Sentence]:
    """All that was said under a name, locks before defaults inside an overlay."""
    said = [
        _Sentence(text, overlay.name, overlay.level.rank, locked)
        for overlay in ordered
        for locked, fields in ((True, overlay.locks), (False, overlay.defaults))
        for text in getattr(fields, name)
    ]
    return said + [_Sentence(text, PERSONA, _PERSONA_RANK, False) for text in persona]


def _union(sentences: Iterable[_Sentence]) -> dict[str, _Sentence]:
    """Each rule once: the locked one if there is one, else the most authoritative; in the order first said."""
    kept: dict[str, _Sentence] = {}
    for sentence in sentences:
        if not sentence.key:
            continue
        known = kept.get(sentence.key)
        if known is None or (sentence.locked and not known.locked):
            kept[sentence.key] = sentence
    return kept


def _survives(do: _Sentence, dont: _Sentence) -> bool:
    """Whether a ``do`` stands against the same words under ``dont``."""
    return do.locked and (dont.rank > do.rank if dont.locked else dont.rank >= do.rank)


def _texts(sentences: Iterable[_Sentence]) -> tuple[str, ...]:
    return tuple(" ".join(sentence.text.split()) for sentence in sentences)
