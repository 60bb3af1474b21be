"""A cartridge as the first part of the prompt. Pure, and the same bytes for the same input on every worker and day.

The persona's own text comes first and never changes within a version, so that a provider's prompt cache hits; what
depends on the person (the stage) and on who reads along (the mode) follows it as a part of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeVar

from gateway.knowledge.personas.types import STAGES, Behavior, Cartridge, Continuation, Mode, Voice

V = TypeVar("V", Behavior, Voice)
_FORMALITY = {"low": "casual", "medium": "neutral", "high": "formal"}
_EMOJI = {"none": "no emoji", "minimal": "an emoji now and then", "regular": "emoji where they fit"}
_SLANG = {"none": "no slang", "light": "a little slang", "heavy": "plenty of slang"}
_STYLED = ("tone", "formality", "emoji", "slang")
_KNOWN = {
    "stranger": "You meet this person for the first time or nearly so.",
    "acquaintance": "You have met this person a few times.",
    "friend": "This person is a friend of yours by now.",
    "best_friend": "This person is among your closest friends.",
}
_HERE: dict[Mode, str] = {
    "direct": "Alone with a person you speak like this.",
    "group": "In a group you speak like this.",
}
_GROUP = (
    "Several people read this conversation.",
    "Only help the group to coordinate: plans, dates, places, polls, decisions and who does what.",
    "Never repeat or hint at anything that one person told you alone; offer to go on in private instead.",
    "Never use what comes from anybody's mail, calendar or files, not even when that person asks here.",
    "Do not address how well you know anybody, and do not prolong the conversation.",
)


def compile_persona(cartridge: Cartridge) -> str:
    """The stable part: who it is, how it sounds, what it does and never does, how to leave unsafe ground, examples.

    Nothing that changes between calls belongs here: memories, policy, time, the person and the stage come after it.
    """
    style = cartridge.style
    sounds = [_FORMALITY[style.formality], _EMOJI[style.emoji]]
    if style.slang:
        sounds.append(_SLANG[style.slang])
    parts = [
        f"You are the persona “{cartridge.id}”. Stay in character in every reply.",
        f"Tone: {_line(style.tone)}. Register: {'; '.join(sounds)}.",
        _list("Always:", cartridge.behavior.do),
        _list("Never:", cartridge.behavior.dont),
        _list(
            "When the conversation turns to one of these, answer with the redirect instead:",
            (
                f"{_line(entry.pattern.replace('|', ', '))} → {_line(entry.redirect)}"
                for entry in cartridge.safety_redirects
            ),
        ),
    ]
    if cartridge.tool_prefs.prefer_recall_before_answer:
        parts.append("Use what is remembered about the person before general knowledge.")
    if cartridge.continuation is not None:
        parts.append(_continuation(cartridge.continuation))
    if cartridge.examples:
        turns = (f"Person: {_line(turn.user)}\nYou: {_line(turn.assistant)}" for turn in cartridge.examples)
        parts.append("How you sound:\n" + "\n\n".join(turns))
    return "\n\n".join(part for part in parts if part)


def situation(cartridge: Cartridge, *, stage: str | None = None, mode: Mode = "direct") -> str:
    """What the stage and the mode add, to be put after the stable part; empty when they add nothing.

    A stage that the cartridge does not describe speaks as the nearest one before it that it does. In a group no stage
    is spoken of: that would tell the others how close two people are.
    """
    parts = []
    if mode == "group":
        parts.append("\n".join(["In this group:", *(f"- {line}" for line in _GROUP)]))
    elif stage is not None and (voice := _voice_at(cartridge, stage)) is not None:
        parts.append(_spoken(_KNOWN[stage], voice))
    own = dict(cartridge.modes).get(mode)
    if own is not None:
        parts.append(_spoken(_HERE[mode], own))
    return "\n\n".join(part for part in parts if part)


def compile_for(cartridge: Cartridge, *, stage: str | None = None, mode: Mode = "direct") -> str:
    """The whole: the stable part, byte for byte as ``compile_persona`` gives it, and then the situation."""
    stable, rest = compile_persona(cartridge), situation(cartridge, stage=stage, mode=mode)
    return f"{stable}\n\n{rest}" if rest else stable


def keeping(cartridge: Cartridge, *, do: Collection[str], dont: Collection[str]) -> Cartridge:
    """The cartridge with these rules alone, each in one line, of those that it, its stages and its modes have."""

    def kept(voice: V) -> V:
        return replace(
            voice,
            do=tuple(line for line in voice.do if _line(line) in do),
            dont=tuple(line for line in voice.dont if _line(line) in dont),
        )

    return replace(
        cartridge,
        behavior=kept(cartridge.behavior),
        stages=tuple((name, kept(voice)) for name, voice in cartridge.stages),
        modes=tuple((name, kept(voice)) for name, voice in cartridge.modes),
    )


def speaking(cartridge: Cartridge, *, stage: str | None = None, mode: Mode = "direct") -> Cartridge:
    """The cartridge with the style and the rules that hold at a stage and in a mode, as ``situation`` tells them."""
    described = _voice_at(cartridge, stage) if stage is not None and mode == "direct" else None
    for voice in (described, dict(cartridge.modes).get(mode)):
        if voice is not None:
            style, behavior = cartridge.style, cartridge.behavior
            said = {name: value for name in _STYLED if (value := getattr(voice, name)) is not None}
            rules = Behavior((*behavior.do, *voice.do), (*behavior.dont, *voice.dont))
            cartridge = replace(cartridge, style=replace(style, **said), behavior=rules)
    return cartridge


def _voice_at(cartridge: Cartridge, stage: str) -> Voice | None:
    described = dict(cartridge.stages)
    reached = STAGES[: STAGES.index(stage) + 1]
    return next((described[name] for name in reversed(reached) if name in described), None)


def _spoken(opening: str, voice: Voice) -> str:
    sounds = [
        words[value]
        for words, value in ((_FORMALITY, voice.formality), (_EMOJI, voice.emoji), (_SLANG, voice.slang))
        if value is not None
    ]
    tone = f" Tone now: {_line(voice.tone)}." if voice.tone and voice.tone.strip() else ""
    register = f" Register now: {'; '.join(sounds)}." if sounds else ""
    parts = (f"{opening}{tone}{register}", _list("Now also:", voice.do), _list("Now never:", voice.dont))
    return "\n".join(part for part in parts if part)


def _continuation(wish: Continuation) -> str:
    if not wish.enabled:
        return "Do not prolong a conversation: answer, and leave the next word to the person."
    kinds = {"question": "a question of yours", "share": "something of your own"}
    ends = " or ".join(kinds[kind] for kind in ("question", "share") if kind in wish.types) or kinds["question"]
    lines = [f"End about {_percent(wish.probability)} of your replies with {ends}."]
    if wish.reflex_question_probability > 0:
        lines.append(f"In about {_percent(wish.reflex_question_probability)}, ask the person's own question back.")
    if "share" in wish.types and wish.share_from_memories:
        lines.append("What you share may take up what you remember about the person.")
    return " ".join(lines)


def _percent(probability: float) -> str:
    return f"{round(probability * 100)} in 100"


def _list(heading: str, lines: Iterable[str]) -> str:
    items = [f"- {_line(line)}" for line in lines if line.strip()]
    return "\n".join([heading, *items]) if items else ""


def _line(text: str) -> str:
    """One line: a rule with line breaks must not look like a section of the prompt."""
    return " ".join(text.split())
