"""A valid cartridge under any id."""

from __future__ import annotations

import copy
from typing import Any

from gateway.knowledge.personas.defaults import default_cartridge


def cartridge(slug: str = "sage", *, tone: str = "friendly") -> dict[str, Any]:
    raw = copy.deepcopy(default_cartridge("Acme"))
    raw["id"], raw["style"]["tone"] = slug, tone
    return raw
