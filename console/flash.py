"""Messages for the next page: what a form did, said after the redirect. They travel in the sealed session cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_NAME = "flash"
_MOST = 4
LEVELS = ("ok", "info", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Toast:
    """One message. Never put a secret into one."""

    text: str
    level: str = "ok"


def flash(request: Any, text: str, level: str = "ok") -> None:
    """Say this on the next full page."""
    request.visit.meta[_NAME] = [*request.visit.meta.get(_NAME, []), [text[:200], level]][-_MOST:]


def take(request: Any) -> list[Toast]:
    """What was to be said, once."""
    return [Toast(text, level) for text, level in request.visit.meta.pop(_NAME, [])]
