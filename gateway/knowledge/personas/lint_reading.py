"""Reading a document of which nothing is known yet: what is not there, or not of its type, is passed by. The schema
says what is wrong with that; every other rule is looked at in what is left. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.knowledge.personas.types import pointer


def part(document: Any, *way: str) -> Any:
    """What stands at a place; None where the way there breaks off."""
    for name in way:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(document: Any, *way: str) -> str:
    """The text at a place; empty where there is none."""
    found = part(document, *way)
    return found if isinstance(found, str) else ""


def entries(document: Any, *way: str) -> list[Any]:
    """The list at a place; empty where there is none."""
    found = part(document, *way)
    return found if isinstance(found, list) else []


def voices(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What stages and modes say, each with its pointer."""
    for key in ("stages", "modes"):
        described = part(document, key)
        for name, voice in described.items() if isinstance(described, dict) else ():
            if isinstance(voice, dict):
                yield pointer([key, name]), voice


def rules(document: Any) -> Iterator[tuple[str, str]]:
    """Every rule, of stages and modes too, with its pointer."""
    for place, holder in (("/behavior", part(document, "behavior")), *voices(document)):
        for kind in ("do", "dont"):
            for index, rule in enumerate(entries(holder, kind)):
                if isinstance(rule, str):
                    yield f"{place}/{kind}/{index}", rule


def blank(said: str) -> bool:
    """Whether there is nothing to see in a text: blanks, and characters that show nothing."""
    return all(char == " " or not char.isprintable() for char in said)
