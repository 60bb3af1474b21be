"""Whether an earlier start has already prepared this very database for this very code.

If so, the web process may start beside the preparation, which then has nothing to do; that halves a later start.
Nothing else depends on it: the preparation runs at every start, and its failure ends the start.
"""

from __future__ import annotations

import hashlib

from ikiro.stack.places import PROJECT_ROOT, Places

_STAMP = "ikiro.prepared"  # inside the data directory, so that it goes, and comes, with the data
_PACKAGES = ("ikiro", "gateway", "tenants", "console")


def is_prepared(places: Places) -> bool:
    """Whether the last start over this data directory got through with the migrations of today's code."""
    try:
        return (places.postgres_data / _STAMP).read_text(encoding="ascii") == _fingerprint()
    except OSError:
        return False


def note_prepared(places: Places) -> None:
    """Remember it; without an embedded database there is nothing to remember."""
    if places.postgres_data.is_dir():
        (places.postgres_data / _STAMP).write_text(_fingerprint(), encoding="ascii")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((PROJECT_ROOT / package).rglob("migrations/*.py")):
            digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
