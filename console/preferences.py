"""A person's taste in this browser: theme, shortcuts, the language of snippets. Plain cookies, nothing secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_AGE = 365 * 24 * 3600
CHOICES: Mapping[str, tuple[str, ...]] = {
    "theme": ("auto", "light", "dark"),
    "shortcuts": ("on", "off"),
    "lang": ("curl", "python", "typescript"),
}


@dataclass(frozen=True, slots=True)
class Preferences:
    theme: str = "auto"
    shortcuts: str = "on"
    lang: str = "curl"


def cookie(name: str) -> str:
    return f"ikiro_{name}"


def read(cookies: Mapping[str, str]) -> Preferences:
    """What the cookies say; anything unknown is the default."""
    chosen = {name: cookies.get(cookie(name), "") for name in CHOICES}
    return Preferences(**{name: value for name, value in chosen.items() if value in CHOICES[name]})
