"""Whether an organization may give this address to a provider."""

from __future__ import annotations

from gateway.core import egress
from gateway.core.errors import FieldProblem
from gateway.platform.providers.errors import InvalidProvider


async def vet(base_url: str) -> None:
    """Ask the egress guard now what it would say at the first call. Raises InvalidProvider ``egress_refused``, which
    names the host and the reason.

    A name that does not resolve at this moment is no reason to refuse: each call is guarded anyway.
    """
    try:
        await egress.check(base_url)
    except egress.ConnectFailed:
        return
    except egress.EgressRefused as error:
        problem = FieldProblem("#/base_url", "egress_refused", error.detail)
        raise InvalidProvider(error.detail, code="egress_refused", problems=(problem,)) from None
    if "#" in base_url:
        raise InvalidProvider("base_url: no fragment.", problems=(FieldProblem("#/base_url", "invalid", "fragment"),))
