"""The two formats of a cartridge and the way between them. Pure.

Every 1.1 document is a 1.2 document as it stands. The other way, the keys that 1.1's closed root does not know are put
under ``meta``, which is open: a reader of 1.1 passes them by, and taking the document in again brings them back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.knowledge.personas.types import pointer

Format = Literal["1.1", "1.2"]
CARRIED = "x-cartridge-1.2"
_ADDED = ("stages", "continuation", "modes")
_FOLDER = Path(__file__).parent

SCHEMA_BYTES: dict[str, bytes] = {
    "1.1": (_FOLDER / "cartridge_1_1.schema.json").read_bytes(),
    "1.2": (_FOLDER / "cartridge_1_2.schema.json").read_bytes(),
}
"""The published schemas, byte for byte as they are served."""
SCHEMAS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in SCHEMA_BYTES.items()}


@dataclass(frozen=True, slots=True)
class Converted:
    """A document in the asked format. ``carried`` are JSON pointers of what it holds and a reader of that format does
    not obey."""

    raw: dict[str, Any]
    carried: tuple[str, ...] = ()


def format_of(raw: dict[str, Any]) -> Format:
    """The lowest format that knows all the keys at the root."""
    return "1.2" if any(_is_added(name) for name in raw) else "1.1"


def to_1_1(raw: dict[str, Any]) -> Converted:
    """The document for readers of 1.1. ``to_1_2`` of it is ``raw`` again."""
    added = {name: value for name, value in raw.items() if _is_added(name)}
    if not added:
        return Converted(raw)
    kept = {name: value for name, value in raw.items() if name not in added}
    kept["meta"] = {**raw["meta"], CARRIED: added}
    return Converted(kept, tuple(pointer(["meta", CARRIED, name]) for name in sorted(added)))


def to_1_2(raw: dict[str, Any]) -> Converted:
    """The document for readers of 1.2: what ``to_1_1`` put aside is back in its place. Nothing else changes; what
    cannot be brought back because the root has such a key already stays where it is."""
    meta = raw.get("meta")
    if not isinstance(meta, dict):
        return Converted(raw)
    aside = meta.get(CARRIED)
    if not isinstance(aside, dict) or not aside or not all(_is_added(name) and name not in raw for name in aside):
        return Converted(raw)
    return Converted({**raw, **aside, "meta": {name: value for name, value in meta.items() if name != CARRIED}})


def convert(raw: dict[str, Any], wanted: Format) -> Converted:
    """The document in a format, whichever it is in."""
    return to_1_1(raw) if wanted == "1.1" else to_1_2(raw)


def canonical(raw: Any) -> bytes:
    """A document's canonical JSON: sorted keys, no blanks, UTF-8, whole numbers without a fraction (as JavaScript
    writes them, and as the database gives them back)."""
    return json.dumps(_plain(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(raw: Any) -> str:
    """``sha256:…`` over the canonical JSON of a document."""
    return "sha256:" + hashlib.sha256(canonical(raw)).hexdigest()


def _is_added(name: str) -> bool:
    return name in _ADDED or name.startswith("x-")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
