"""Cartridges to begin with, one file each in ``templates/``. Every one of them passes lint without a word."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.knowledge.personas.errors import TemplateNotFound

_NAMES = ("support", "hr", "developer-helper", "companion", "sales")
_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Template:
    """A cartridge to begin with. ``raw`` has ``{{organization}}`` where the organization's public id goes."""

    name: str
    title: str
    about: str
    raw: dict[str, Any]


def _read(name: str) -> Template:
    found = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Template(name, found["title"], found["about"], found["cartridge"])


TEMPLATES: dict[str, Template] = {name: _read(name) for name in _NAMES}


def cartridge(name: str, *, owner_id: str, persona_id: str | None = None) -> dict[str, Any]:
    """A document of an organization's own (``owner_id`` is its public id) from a template, under the template's id or
    another. Raises TemplateNotFound."""
    if name not in TEMPLATES:
        raise TemplateNotFound(f"There is no template {name!r}; there are {', '.join(TEMPLATES)}.")
    raw = copy.deepcopy(TEMPLATES[name].raw)
    raw["owner"]["ownerId"] = owner_id
    raw["id"] = persona_id or raw["id"]
    return raw
