"""What the sandbox finds in a prompt: the persona's header, the recalled memories, and what was asked.

The memories stand in a system message, in a block that begins with the line ``## What you remember about this person``
and goes on with lines ``[m1] text (2026-03-01, source)``. The header may have ``You are NAME`` (or ``You are the
persona “NAME”``), ``Tone: …`` and ``Disclaimer: …`` lines, or a list under ``Say where it applies:``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MEMORIES_HEADING = "## What you remember about this person"
_MEMORY = re.compile(r"\[m(\d{1,6})\]\s+(.+?)(?:\s+\(([^()]*)\))?\s*\Z")
_NAME = re.compile(
    r"^\s*(?:You are|Name:|Your name is)\s+(?:the persona\s+)?[\"“]?(?P<name>\w[\w .'-]{0,60}?)[\"”]?\s*(?:[,.;(]|$)",
    re.M,
)
_TONE = re.compile(r"^\s*(?:Your )?tone(?: is)?:?\s+([^.\n]+)", re.I | re.M)
_DISCLAIMER = re.compile(r"^\s*(?:[-*]\s*)?(?:Required )?disclaimers?:\s*(\S.*)$", re.I | re.M)
_DISCLAIMERS_LIST = re.compile(
    r"^(?:#+\s*(?:Required )?disclaimers?\b.*|(?:Required )?disclaimers?:|Say where it applies:)\s*\n"
    r"((?:\s*[-*]\s+.+\n?)+)",
    re.I | re.M,
)


@dataclass(frozen=True, slots=True)
class Memory:
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """``tool_result`` is the text of the tool message that the conversation ends with, if it does."""

    name: str | None
    tone: str
    disclaimers: tuple[str, ...]
    memories: tuple[Memory, ...]
    question: str
    tool_result: str | None


def read(messages: Iterable[dict[str, Any]]) -> Prompt:
    """Take a conversation in OpenAI shape apart."""
    rows = list(messages)
    system = "\n\n".join(text_of(row) for row in rows if row.get("role") in ("system", "developer"))
    header, _, _ = system.partition(MEMORIES_HEADING)
    name, tone = _NAME.search(header), _TONE.search(header)
    asked = next((text_of(row) for row in reversed(rows) if row.get("role") == "user"), "")
    last = rows[-1] if rows else {}
    return Prompt(
        name=name["name"].strip() if name else None,
        tone=tone[1].strip().lower() if tone else "",
        disclaimers=_disclaimers(system),
        memories=_memories(system),
        question=asked.strip(),
        tool_result=text_of(last) if last.get("role") == "tool" else None,
    )


def text_of(message: dict[str, Any]) -> str:
    """The text of a message whose content is a string, a list of parts, or nothing."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


def _memories(system: str) -> tuple[Memory, ...]:
    _, found, block = system.partition(MEMORIES_HEADING)
    memories = []
    for line in block.splitlines()[1:] if found else ():
        if line.startswith("#"):
            break
        if match := _MEMORY.match(line.strip()):
            memories.append(Memory(int(match[1]), match[2].strip()))
    return tuple(memories)


def _disclaimers(system: str) -> tuple[str, ...]:
    found = [match[1].strip() for match in _DISCLAIMER.finditer(system)]
    for match in _DISCLAIMERS_LIST.finditer(system):
        found += [line.strip().lstrip("-*").strip() for line in match[1].splitlines() if line.strip()]
    return tuple(dict.fromkeys(found))
