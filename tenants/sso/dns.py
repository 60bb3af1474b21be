"""Asking the DNS for a domain's challenge. Asynchronous: no thread and no connection waits for a name server."""

from __future__ import annotations

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from django.conf import settings

from gateway.core.errors import Unavailable

_TRY_S, _TOTAL_S = 1.5, 4.0


async def texts(name: str) -> tuple[str, ...]:
    """The TXT records at ``name``; none when there is no such name. Raises Unavailable ``dns_unavailable``."""
    try:
        answer = await _resolver().resolve(f"{name}.", "TXT", lifetime=_TOTAL_S)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ()
    except (dns.exception.DNSException, OSError) as error:
        raise Unavailable(
            f"The DNS gave no answer about {name} ({type(error).__name__}); nothing was decided.",
            code="dns_unavailable",
            retry_after=10,
        ) from error
    return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)


def _resolver() -> dns.asyncresolver.Resolver:
    servers: list[tuple[str, int]] = settings.IKIRO_DNS_SERVERS
    resolver = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
    resolver.timeout = _TRY_S
    return resolver
