"""Every operation of the API with its declaration, and whether a caller would be let in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gateway.core.endpoint import Endpoint, declared
from gateway.core.errors import Forbidden, GatewayError
from gateway.governance.access import rules as access
from gateway.platform.flags import gate as flags
from tenants.types import Principal


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path, as the document names it."""

    method: str
    path: str
    summary: str
    endpoint: Endpoint


@lru_cache(maxsize=1)
def every() -> tuple[Operation, ...]:
    """All that need a caller, by path and method."""
    from gateway.surfaces.v1.api import api  # noqa: PLC0415 - the API imports slices that must not load before Django is ready

    found: list[Operation] = []
    for prefix, router in api._routers:
        for route, view in router.path_operations.items():
            for operation in view.operations:
                endpoint = declared(operation.view_func)
                if endpoint is None or endpoint.public:
                    continue
                path = f"/v1{prefix}{route}".replace("{path:", "{")
                found += [Operation(method, path, operation.summary or "", endpoint) for method in operation.methods]
    return tuple(sorted(found, key=lambda one: (one.path, one.method)))


def refusal(principal: Principal, endpoint: Endpoint) -> GatewayError | None:
    """What the spine would refuse this caller with, before any limit and any input; None when it would not."""
    if endpoint.account:
        return Forbidden("This is for signed-in people; a key cannot do it.", code="user_token_required")
    try:
        if endpoint.scope is not None:
            access.require_scope(principal, endpoint.scope)
        for flag in ("enable_gateway_api", endpoint.flag):
            if flag is not None:
                flags.require(principal.organization, flag)
    except GatewayError as error:
        return error
    return None
