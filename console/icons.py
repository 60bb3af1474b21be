"""The icons in use, out of the lucide package, as one sprite. Add a name here to use it: ``{% icon "key" %}``."""

from __future__ import annotations

import re
from importlib import resources
from io import BytesIO
from zipfile import ZipFile

ICONS = (
    "activity", "archive", "arrow-left", "arrow-right", "ban", "bell", "book-open", "bot", "braces", "building-2",
    "check", "chevron-down", "chevron-right", "chevrons-up-down", "circle", "circle-alert", "circle-check",
    "circle-question-mark", "circle-x", "clock", "cloud-off", "code", "copy", "cpu", "download", "ellipsis",
    "external-link", "eye", "file-text", "fingerprint-pattern", "globe", "hourglass", "inbox", "info", "key-round",
    "keyboard", "layout-dashboard", "link", "loader", "lock", "log-in", "log-out", "mail", "menu", "message-square",
    "monitor", "moon", "pause", "pencil", "play", "plug", "plus", "refresh-cw", "rocket", "rotate-cw", "scroll-text",
    "search", "send", "settings", "shield", "shield-check", "smartphone", "square", "sun", "terminal", "trash-2",
    "triangle-alert", "user", "user-plus", "users", "wand-sparkles", "x", "zap",
)  # fmt: skip
_INNER = re.compile(r"<svg[^>]*>(.*)</svg>", re.S)
_SHAPE = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'


def sprite() -> bytes:
    """One SVG document with a symbol per icon. Raises KeyError for an icon that lucide does not have."""
    archive = BytesIO((resources.files("lucide") / "lucide.zip").read_bytes())
    with ZipFile(archive) as icons:
        symbols = [_symbol(name, icons.read(f"{name}.svg").decode()) for name in ICONS]
    return ('<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>").encode()


def _symbol(name: str, text: str) -> str:
    match = _INNER.search(text)
    if match is None:
        raise KeyError(name)
    inner = re.sub(r"\s+", " ", match[1]).strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24" {_SHAPE}>{inner}</symbol>'
