"""From a host name to the addresses that a call may connect to. The answer is pinned: the connection is opened to it,
not to the name.

Lookups run in the loop's resolver threads, once per name at a time, and are kept for 30 s; a literal address needs
none.
"""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Iterable
from ipaddress import ip_address

from gateway.core.egress.addresses import Address, Allowance, parse_address, why_denied
from gateway.core.egress.errors import ConnectFailed, EgressRefused

_KEEP_S = 30.0
_MAX_NAMES = 2048


class Resolver:
    """One per event loop."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._known: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._asking: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def addresses(self, host: str, *, trusted: bool) -> tuple[Address, ...]:
        """The addresses of ``host`` in the order to try. Raises EgressRefused when any of them is one we do not call.

        One bad address among good ones refuses the whole name: mixing them is how a rebinding attack begins.
        """
        literal = parse_address(host)
        found = (literal,) if literal is not None else await self._lookup(host)
        if not trusted and not self._allowance.host(host):
            for address in found:
                why = why_denied(address)
                if why is not None and not self._allowance.address(address):
                    raise EgressRefused(f"{host!r} leads to an address that is not public ({why}).")
        return found

    def allows(self, host: str, addresses: Iterable[Address]) -> bool:
        """Whether the operator has named this host, or the networks of all its addresses, in IKIRO_EGRESS_ALLOW."""
        return self._allowance.host(host) or all(self._allowance.address(address) for address in addresses)

    async def _lookup(self, host: str) -> tuple[Address, ...]:
        found = self._fresh(host)
        if found is not None:
            return found
        # One question per name at a time. Who gives up while asking leaves the question to the next in line.
        async with self._asking.setdefault(host, asyncio.Lock()):
            return self._fresh(host) or await self._ask(host)

    def _fresh(self, host: str) -> tuple[Address, ...] | None:
        known = self._known.get(host)
        return known[1] if known is not None and known[0] > asyncio.get_running_loop().time() else None

    async def _ask(self, host: str) -> tuple[Address, ...]:
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ConnectFailed(f"The name {host!r} could not be resolved.") from None
        texts = dict.fromkeys(str(row[4][0]) for row in rows if "%" not in str(row[4][0]))
        # IPv4 first: a machine with a dead IPv6 route would otherwise lose its connect time on every call.
        found = tuple(sorted((ip_address(text) for text in texts), key=lambda address: address.version))
        if not found:
            raise ConnectFailed(f"The name {host!r} has no usable address.")
        if len(self._known) >= _MAX_NAMES:
            self._known.clear()
        self._known[host] = (loop.time() + _KEEP_S, found)
        return found
