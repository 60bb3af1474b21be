"""A browser's own description, in three words."""

from __future__ import annotations

# The first that fits: most browsers also claim to be others.
_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("python-httpx", "A Python program"), ("curl/", "curl"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
_PHONES = frozenset({"iPhone", "iPad", "Android"})


def describe(user_agent: str) -> str:
    """``Firefox on Linux``."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "Another program")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser


def symbol(user_agent: str) -> str:
    """The icon that fits."""
    return "smartphone" if any(sign in user_agent for sign in _PHONES) else "monitor"
