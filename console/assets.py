"""The console's style sheet, scripts and pictures, put together and read once at start-up.

They are few and small (under 200 KB together), so a request for one touches no disk and needs no thread. Only files
found at start-up can be asked for: a path from outside never reaches the file system. Pages name a file with the hash
of its content, so that browsers may keep it for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from django.conf import settings

from console.icons import sprite

_COMMENT = re.compile(rb"/\*.*?\*/\s*", re.S)
_HASHED = re.compile(r"^(?P<stem>.+)\.(?P<digest>[0-9a-f]{12})(?P<suffix>\.[a-z0-9]+)$")
_AREA = re.compile(r"7[1-9]-")
_TEXT = (".css", ".js", ".svg")
# The one place that names a version of htmx: what the installed django-htmx ships.
_HTMX = ("htmx-2.min.js", "ext/hx-sse-2.min.js")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file ready to be sent. ``zipped`` is empty where it would save nothing."""

    body: bytes
    zipped: bytes
    content_type: str
    digest: str

    @property
    def etag(self) -> str:
        return f'"{self.digest}"'


def load(directories: list[Path]) -> dict[str, Asset]:
    """Every file below ``directories`` by its path there, and what is put together: the style sheet out of
    ``console/css``, htmx with its extension, the icons. Sheets ``71-…`` to ``79-…`` belong to one area of pages, which
    links them itself: ``71-account.css`` is ``console/account.css``."""
    found: dict[str, Asset] = {}
    sheets: list[Path] = []
    for directory in directories:
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            name = file.relative_to(directory).as_posix()
            if name.startswith("console/css/"):
                sheets.append(file)
            else:
                found.setdefault(name, _asset(name, file.read_bytes()))
    areas = [file for file in sheets if _AREA.match(file.name)]
    for name, body in {
        **{f"console/{file.name[3:]}": style_sheet([file]) for file in areas},
        "console/console.css": style_sheet([file for file in sheets if file not in areas]),
        "console/htmx.js": _htmx(),
        "console/icons.svg": sprite(),
    }.items():
        found[name] = _asset(name, body)
    if "console/app.js" in found:
        found["console/app.js"] = _asset("console/app.js", _shorter(found["console/app.js"].body))
    return found


def style_sheet(files: list[Path]) -> bytes:
    """The sheets in the order of their names, without comments. ``*-dark.css`` holds bare declarations: they apply to
    the chosen dark theme, and to the automatic one where the system is dark."""
    parts: list[bytes] = []
    for file in sorted(files):
        text = _COMMENT.sub(b"", file.read_bytes()).strip()
        if file.stem.endswith("-dark"):
            text = (
                b"@layer tokens{[data-theme=dark]{" + text + b"}\n"
                b"@media(prefers-color-scheme:dark){[data-theme=auto]{" + text + b"}}}"
            )
        parts.append(text)
    return _smaller(b"\n".join(parts)) + b"\n"


def _smaller(css: bytes) -> bytes:
    """Without the white space that only people need. A space before a colon or a brace may mean something; one after
    never does."""
    css = re.sub(rb"\s+", b" ", css)
    return re.sub(rb"\s*([{};])\s*", rb"\1", re.sub(rb"([:,]) ", rb"\1", css)).replace(b";}", b"}")


def _shorter(script: bytes) -> bytes:
    """Without indentation and lines of comment. No string of ours goes over several lines."""
    lines = (line.strip() for line in script.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"//")) + b"\n"


@cache
def assets() -> dict[str, Asset]:
    """This process's files."""
    return load([Path(directory) for directory in settings.STATICFILES_DIRS])


def url(name: str) -> str:
    """The address of a file with its content's hash in it. Raises KeyError for a name that is not there."""
    stem, dot, suffix = name.rpartition(".")
    return f"{settings.STATIC_URL}{stem}.{assets()[name].digest[:12]}{dot}{suffix}"


def find(name: str) -> tuple[Asset | None, bool]:
    """The file of a name with or without a hash, and whether the hash is that of this content: only then may a
    browser keep it for ever."""
    match = _HASHED.match(name)
    if match is None:
        return assets().get(name), False
    asset = assets().get(match["stem"] + match["suffix"])
    return asset, asset is not None and asset.digest.startswith(match["digest"])


def _asset(name: str, body: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    zipped = gzip.compress(body, 9, mtime=0) if name.endswith(_TEXT) and len(body) > 1024 else b""
    return Asset(body, zipped, kind, hashlib.sha256(body).hexdigest()[:32])


def _htmx() -> bytes:
    folder = resources.files("django_htmx") / "static" / "django_htmx"
    return b"\n".join(folder.joinpath(name).read_bytes() for name in _HTMX)
