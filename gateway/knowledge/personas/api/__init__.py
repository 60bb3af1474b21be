"""``/v1/personas`` and what belongs to it. Fixed paths stand before those with an id in them."""

from __future__ import annotations

from ninja import Router

from gateway.knowledge.personas.api import drafts, exchange, linting, versions

router = Router()
for _part in (linting, exchange, drafts, versions):
    router.add_router("", _part.router)
