"""Which declaration stands behind a path, for whoever must know before (or without) an operation being called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ninja.operation import PathView

from gateway.core.endpoint import Body, Endpoint, declared


@lru_cache(maxsize=1)
def _by_path() -> dict[str, Endpoint]:
    from gateway.surfaces.v1.api import api  # noqa: PLC0415 - the API imports slices that must not load before Django is ready

    found: dict[str, Endpoint] = {}
    for prefix, router in api._routers:
        for route, view in router.path_operations.items():
            for operation in view.operations:
                declaration = declared(operation.view_func)
                path = f"/v1{prefix}{route}"
                if declaration is None or "{" in route:
                    continue
                # Of two methods on one path the one that takes more than the usual body stands for both.
                if path not in found or declaration.body is not Body.DEFAULT:
                    found[path] = declaration
    return found


def shortcut(view: Callable[..., Any], method: str) -> Callable[..., Any]:
    """What finally answers a method at a fixed URL. For a raw operation that is the operation itself, behind the spine
    as ever: Ninja's dispatch has nothing to find or parse for it. Every other view is its own answer."""
    owner = inspect.getclosurevars(view).nonlocals.get("self") if inspect.isfunction(view) else None
    for operation in owner.operations if isinstance(owner, PathView) else ():
        declaration = declared(operation.view_func)
        if method in operation.methods and declaration is not None and declaration.raw:
            run: Callable[..., Any] = operation.run
            return run
    return view


def endpoint_at(path: str) -> Endpoint | None:
    """The declaration of what stands at a path without parameters; None for any other path."""
    return _by_path().get(path)
