"""Plain phrases that ask for a write: "remember that …", "schedule …". Each becomes a call of a write tool that was
offered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_POLITE = (
    r"(?:(?:please|hey|hi|hello|ok|okay|also|and|then|now|so|but)[,!]?\s+"
    r"|(?:can|could|would|will)\s+you\s+(?:please\s+)?)*"
)
_REMEMBER = re.compile(
    rf"^{_POLITE}(?:remember|keep in mind|don['’]?t forget|do not forget|make a note|note(?: down)?)"
    r"(?:\s+that|\s*[:,])?\s+(?P<text>.+)$",
    re.I | re.S,
)
_CALENDAR = re.compile(
    rf"^{_POLITE}(?:(?:add|put)\s+(?P<added>.+?)\s+(?:to|in|into|on)\s+(?:my|the)\s+calendar(?P<later>.*)"
    rf"|(?:schedule|book|set up|arrange)\s+(?P<booked>.+))$",
    re.I | re.S,
)
_WHEN = re.compile(
    r"\s+(?:(?:on|for|at|by|from|this|next|every)\s+)*"
    r"(?:(?:today|tonight|tomorrow|noon|midnight|week|weekend|month|year|morning|afternoon|evening"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    r"|january|february|march|april|may|june|july|august|september|october|november|december)\b|\d).*$",
    re.I | re.S,
)
_PREFERENCE = re.compile(r"\b(?:like|love|prefer|hate|dislike|enjoy|favou?rite|can['’]?t stand|allergic)\b", re.I)
_SLOTS = (
    ("identity.name", re.compile(r"\bmy name is\b", re.I)),
    ("identity.birthday", re.compile(r"\bmy birthday is\b|\bi was born\b", re.I)),
    ("home.city", re.compile(r"\bi (?:now )?(?:live in|moved to|am living in|'m living in)\b", re.I)),
    ("work.employer", re.compile(r"\bi (?:now )?work (?:at|for)\b", re.I)),
)
MEMORY_TOOL, WRITE_TOOL = "ikiro_memory_upsert", "ikiro_propose_write"
_SAID_OUTRIGHT = 0.9


@dataclass(frozen=True, slots=True)
class Intent:
    """One call to make: the tool, its arguments, and how to speak of it."""

    tool: str
    arguments: dict[str, Any]
    spoken: str


def find(text: str) -> tuple[Intent, ...]:
    """The writes that a message asks for, in order. A question ("do you remember that …?") asks for none."""
    found = (_intent(sentence.strip()) for sentence in _SENTENCE.split(text))
    return tuple(intent for intent in found if intent is not None)


def _intent(sentence: str) -> Intent | None:
    if match := _CALENDAR.match(sentence):
        return _calendar(match)
    if match := _REMEMBER.match(sentence):
        return _memory(_clean(match["text"]))
    return None


def _memory(text: str) -> Intent | None:
    if not text:
        return None
    text = text[0].upper() + text[1:]
    arguments: dict[str, Any] = {"text": text, "type": "preference" if _PREFERENCE.search(text) else "fact"}
    slot = next((name for name, pattern in _SLOTS if pattern.search(text)), None)
    if slot is not None:
        arguments["slot"] = slot
    return Intent(MEMORY_TOOL, {**arguments, "confidence": _SAID_OUTRIGHT}, f"remember “{text}”")


def _calendar(match: re.Match[str]) -> Intent | None:
    whole = match["booked"] or f"{match['added']} {(match['later'] or '').strip()}"
    whole = _clean(whole)
    when = _WHEN.search(" " + whole)
    title = whole if when is None else whole[: max(0, when.start() - 1)].strip()
    title = re.sub(r"^(?:an?|the)\s+", "", title, flags=re.I) or whole
    payload = {"title": title[0].upper() + title[1:]} if title else None
    if payload is None:
        return None
    if when is not None:
        payload["when"] = re.sub(r"^(?:on|for|at)\s+", "", when[0].strip(), flags=re.I)
    spoken = f"put “{payload['title']}” in your calendar" + (f" ({payload['when']})" if when else "")
    return Intent(WRITE_TOOL, {"type": "calendar.create", "payload": payload, "confidence": _SAID_OUTRIGHT}, spoken)


def _clean(text: str) -> str:
    return " ".join(text.split()).rstrip(".!? ").strip()
