"""How many bytes each path may carry, from the operations' own declarations."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from gateway.core.endpoint import BODY_LIMITS, Body, declared


def limit_of(body: Body) -> int:
    """The bytes a route class takes: the setting, or the default of the class."""
    return settings.IKIRO_BODY_LIMITS.get(body.value) or BODY_LIMITS[body]


@lru_cache(maxsize=1)
def _by_path() -> dict[str, int]:
    from gateway.surfaces.v1.api import api  # noqa: PLC0415 - the API imports slices that must not load before Django is ready

    limits: dict[str, int] = {}
    for prefix, router in api._routers:
        for route, view in router.path_operations.items():
            for operation in view.operations:
                declaration = declared(operation.view_func)
                if declaration is not None and declaration.body is not Body.DEFAULT and "{" not in route:
                    limits[f"/v1{prefix}{route}"] = limit_of(declaration.body)
    return limits


def body_limit(path: str) -> int:
    """The limit for a request path; paths that declare nothing get the default class."""
    return _by_path().get(path) or limit_of(Body.DEFAULT)
