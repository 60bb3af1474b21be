"""How many bytes each path may carry, from the operations' own declarations."""

from __future__ import annotations

from django.conf import settings

from gateway.core.endpoint import BODY_LIMITS, Body
from gateway.surfaces.routes import endpoint_at


def limit_of(body: Body) -> int:
    """The bytes a route class takes: the setting, or the default of the class."""
    return settings.IKIRO_BODY_LIMITS.get(body.value) or BODY_LIMITS[body]


def body_limit(path: str) -> int:
    """The limit for a request path; paths that declare nothing get the default class."""
    endpoint = endpoint_at(path)
    return limit_of(endpoint.body if endpoint is not None else Body.DEFAULT)
