"""Whom a call is for: the persona, the person and the memories that headers or our own body keys name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.core.errors import BadRequest, FieldProblem
from gateway.surfaces.openai.envelope import OURS, Ours, PersonaId, PersonaMode, Scopes, SubjectId, invalid

_HEADERS = {
    "persona_id": ("HTTP_X_PERSONA_ID", "x-persona-id"),
    "subject_id": ("HTTP_X_SUBJECT_ID", "x-subject-id"),
    "memory_scopes": ("HTTP_X_MEMORY_SCOPES", "x-memory-scopes"),
    "persona_mode": ("HTTP_X_PERSONA_MODE", "x-persona-mode"),
}
_KEYS = tuple(key for key, _ in _HEADERS.values())
_TYPES: dict[str, Any] = {
    "persona_id": PersonaId,
    "subject_id": SubjectId,
    "memory_scopes": Scopes,
    "persona_mode": PersonaMode,
}


@dataclass(frozen=True, slots=True)
class Address:
    """What makes a completion a turn with a persona."""

    persona_id: str
    subject_id: str
    memory_scopes: tuple[str, ...] | None = None
    conversation_id: str | None = None
    persona_version: int | None = None
    redact_mode: str | None = None
    persona_mode: PersonaMode = "direct"


def addressed(meta: Mapping[str, str], envelope: Ours) -> Address | None:
    """The address of a call, or None for one that is meant for the model alone.

    Raises BadRequest when a header and a body key disagree, for a persona without a person or the other way round, and
    for wishes (such as a redaction) that only a persona's call can follow: answering without would look as if it had.
    """
    if not envelope.has_ours and not any(key in meta for key in _KEYS):
        return None
    given = {name: value for name in OURS if (value := getattr(envelope, name)) not in (None, UNSET)}
    for name, (key, header) in _HEADERS.items():
        if key in meta:
            value = _from_header(name, header, meta[key])
            if given.setdefault(name, value) != value:
                raise _refused(name, f"{header} and {name} in the body differ; send one of them")
    if not given:
        return None
    for name, what in (("persona_id", "a persona"), ("subject_id", "the person it talks to")):
        if name not in given:
            key, header = _HEADERS[name][0], _HEADERS[name][1]
            raise _refused(name, f"{', '.join(given)} needs {what}: send {header} (or {name} in the body) too")
    if not given["subject_id"].isprintable():
        raise _refused("subject_id", "must be printable characters")
    scopes = given.pop("memory_scopes", None)
    return Address(**given, memory_scopes=None if scopes is None else tuple(scopes))


def _from_header(name: str, header: str, text: str) -> Any:
    """The value of a header, which the server reads as latin-1 and clients write in UTF-8."""
    try:
        text = text.encode("latin1").decode("utf-8").strip()
    except UnicodeError:
        raise _refused(name, f"{header} must be UTF-8") from None
    value: Any = text
    if name == "memory_scopes":
        value = [scope.strip() for scope in text.split(",")] if text else []
    try:
        return msgspec.convert(value, _TYPES[name])
    except msgspec.ValidationError as error:
        raise _refused(name, f"{header}: {invalid(error).problems[0].message}") from None


def _refused(name: str, message: str) -> BadRequest:
    return BadRequest(f"{message}.", problems=(FieldProblem(f"#/{name}", "invalid", message),))
