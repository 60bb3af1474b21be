"""A cartridge as the stable first part of the prompt. Pure, and the same bytes for the same cartridge on every
worker and day."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.knowledge.personas.types import Cartridge

_FORMALITY = {"low": "casual", "medium": "neutral", "high": "formal"}
_EMOJI = {"none": "no emoji", "minimal": "an emoji now and then", "regular": "emoji where they fit"}
_SLANG = {"none": "no slang", "light": "a little slang", "heavy": "plenty of slang"}


def compile_persona(cartridge: Cartridge) -> str:
    """The persona's prompt: who it is, how it sounds, what it does and never does, how to leave unsafe ground,
    examples.

    Nothing that changes between calls belongs here: memories, policy, time and the person come after it.
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
    if cartridge.examples:
        turns = (f"Person: {_line(turn.user)}\nYou: {_line(turn.assistant)}" for turn in cartridge.examples)
        parts.append("How you sound:\n" + "\n\n".join(turns))
    return "\n\n".join(part for part in parts if part)


def _list(heading: str, lines: Iterable[str]) -> str:
    items = [f"- {_line(line)}" for line in lines if line.strip()]
    return "\n".join([heading, *items]) if items else ""


def _line(text: str) -> str:
    """One line: a rule with line breaks must not look like a section of the prompt."""
    return " ".join(text.split())
