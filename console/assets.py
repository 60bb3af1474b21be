"""The console's style sheets and pictures, read once at start-up.

They are few and small (under 100 KB together), so a request for one touches no disk and needs no thread. Only files
found at start-up can be asked for: a path from outside never reaches the file system.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asset:
    """One file ready to be sent. ``etag`` is quoted, as it stands in the header."""

    body: bytes
    content_type: str
    etag: str


def load(directories: list[Path]) -> dict[str, Asset]:
    """Every file below ``directories`` by its path there; the first directory wins a name."""
    found: dict[str, Asset] = {}
    for directory in directories:
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            body = file.read_bytes()
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
            digest = hashlib.sha256(body).hexdigest()[:32]
            found.setdefault(file.relative_to(directory).as_posix(), Asset(body, kind, f'"{digest}"'))
    return found
