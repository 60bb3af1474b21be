"""Whether the caller of an answer that goes on for minutes may still have it: the spine's own questions once more, from
what this worker holds in memory."""

from __future__ import annotations

from django.http import HttpRequest

from gateway.core.endpoint import Call, Endpoint
from gateway.surfaces import credentials, reach, spine
from tenants.authentication import authenticate
from tenants.types import Principal


async def require(request: HttpRequest, call: Call, endpoint: Endpoint) -> Principal:
    """The caller as they are now. Raises Unauthenticated or Forbidden for a key, token or session that has ended, a
    member who was removed, and a scope, an address, an origin or a flag that no longer allows it; Unavailable while
    nobody can know."""
    principal = await authenticate(credentials.token(request))
    reach.require(request, call, principal, endpoint)
    spine.require(principal, endpoint)
    return principal


def changed(before: Principal, now: Principal) -> bool:
    """Whether a caller sees other requests than before: narrowed to other personas or subjects, or widened."""
    return (before.grant.persona_ids, before.grant.subject_ids) != (now.grant.persona_ids, now.grant.subject_ids)
