"""What can be looked for in an answer without a model: style, length, words, rules. Pure; scores are 0 to 1.

Register and rules are told by English words; an answer of another language passes those checks, and the similarity to
its reference says the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from gateway.engine.consistency import rules
from gateway.engine.consistency.types import Check, GoldenPrompt
from gateway.knowledge.personas import manners
from gateway.knowledge.personas.types import Cartridge
from gateway.knowledge.personas.words import words

# How long an answer may be beside its reference before it counts as another manner of speaking.
_SHORTEST, _LONGEST = 0.4, 2.5


def checks(answer: str, cartridge: Cartridge, golden: GoldenPrompt) -> tuple[list[Check], tuple[str, ...]]:
    """(every check that applies, the rules that only a judge could tell)."""
    if not answer.strip():
        return [Check("answer", 0.0, "is empty")], (*cartridge.behavior.do, *cartridge.behavior.dont)
    verdicts = rules.judged(answer, cartridge.behavior.do, cartridge.behavior.dont)
    found = [
        _emoji(answer, cartridge.style.emoji),
        _formality(answer, cartridge.style.formality),
        *_slang(answer, cartridge.style.slang),
        *_length(answer, golden),
        *_phrases(answer, golden),
        *_rules(verdicts),
    ]
    return found, verdicts.unchecked


def _emoji(answer: str, wanted: str) -> Check:
    count = manners.emoji(answer)
    allowed = {"none": 0, "minimal": 1}.get(wanted)
    over = 0 if allowed is None else max(0, count - allowed)
    lost = 1.0 if wanted == "none" else 0.5
    return Check("emoji", max(0.0, 1.0 - lost * over), f"{count} where the style is {wanted}")


def _formality(answer: str, wanted: str) -> Check:
    casual, stiff = manners.casual(answer), manners.stiff(answer)
    if wanted == "high":
        lost = 0.34 * len(casual) + 0.15 * answer.count("!") + 0.1 * manners.contractions(answer)
    elif wanted == "low":
        lost = 0.34 * len(stiff)
    else:
        lost = 0.25 * max(0, len(casual) - 1) + 0.25 * max(0, len(stiff) - 1)
    heard = ", ".join((*casual, *stiff)) or "no casual and no stiff word"
    return Check("formality", max(0.0, 1.0 - lost), f"{heard}, where it is {wanted}")


def _slang(answer: str, wanted: str | None) -> Iterator[Check]:
    if wanted is not None:
        casual = manners.casual(answer)
        lost = {"none": 0.5 * len(casual), "light": 0.25 * max(0, len(casual) - 2)}.get(wanted, 0.0)
        yield Check("slang", max(0.0, 1.0 - lost), f"{', '.join(casual) or 'none'}, where it is {wanted}")


def _length(answer: str, golden: GoldenPrompt) -> Iterator[Check]:
    size = len(answer)
    if golden.max_chars is not None:
        over = max(0, size - golden.max_chars) / golden.max_chars
        yield Check("length", max(0.0, 1.0 - over), f"{size} characters of at most {golden.max_chars}")
    elif golden.reference:
        ratio = size / len(golden.reference)
        bound = min(max(ratio, _SHORTEST), _LONGEST)
        lost = abs(math.log2(ratio / bound)) / 2
        yield Check("length", max(0.0, 1.0 - lost), f"{ratio:.1f} times as long as the reference")


def _phrases(answer: str, golden: GoldenPrompt) -> Iterator[Check]:
    spoken = f" {' '.join(words(answer))} "
    there = {one: f" {' '.join(words(one))} " in spoken for one in (*golden.contains, *golden.not_contains)}
    if golden.contains:
        missing = [one for one in golden.contains if not there[one]]
        yield Check(
            "contains", 1 - len(missing) / len(golden.contains), f"lacks {', '.join(missing)}" if missing else "has all"
        )
    if golden.not_contains:
        said = [one for one in golden.not_contains if there[one]]
        yield Check("not_contains", 0.0 if said else 1.0, f"says {', '.join(said)}" if said else "says none")


def _rules(verdicts: rules.RuleVerdicts) -> Iterator[Check]:
    told = len(verdicts.kept) + len(verdicts.broken)
    if told:
        broken = "; ".join(verdicts.broken)
        yield Check("rules", len(verdicts.kept) / told, f"breaks: {broken}" if broken else f"keeps {told}")
