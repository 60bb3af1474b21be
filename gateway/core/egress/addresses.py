"""Which addresses an outbound call may reach. Deny by default, from the IANA special-purpose registries.

IPv4 is open except for the networks below; IPv6 is closed except for global unicast (2000::/3), less the networks
below. So IPv4-mapped, NAT64, unique local, link-local and unassigned IPv6 space need no entry of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DENIED_4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "multicast tunnelling"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_DENIED_6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("2001::/23", "protocol assignments (Teredo, benchmarking, ORCHID)"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
    )
)


def parse_address(text: str) -> Address | None:
    """The address that ``text`` literally is, without brackets; None for a name and for anything with a zone."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def why_denied(address: Address) -> str | None:
    """The kind of non-public address this is, in words, or None for a public one."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_4 if address in network), None)
    if address not in _GLOBAL_6:
        return "not global unicast"
    return next((why for network, why in _DENIED_6 if address in network), None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What IKIRO_EGRESS_ALLOW lets through: host names (exact, or ``*.example.org`` for everything below) and
    networks.
    """

    hosts: frozenset[str]
    suffixes: tuple[str, ...]
    networks: tuple[Network, ...]

    def host(self, name: str) -> bool:
        return name in self.hosts or name.endswith(self.suffixes)

    def address(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def parse_allowance(entries: str | Iterable[str]) -> Allowance:
    """Read the setting. Raises ValueError for an entry that is neither a host nor a network, so that start-up fails."""
    words = entries.split(",") if isinstance(entries, str) else entries
    hosts: set[str] = set()
    suffixes: list[str] = []
    networks: list[Network] = []
    for word in (word.strip().lower().strip("[]") for word in words):
        if not word:
            continue
        try:
            networks.append(ip_network(word))
            continue
        except ValueError:
            if "/" in word or ":" in word:
                raise ValueError(f"IKIRO_EGRESS_ALLOW: {word!r} is neither a host name nor a network") from None
        if word.startswith("*."):
            suffixes.append(word[1:])
        else:
            hosts.add(word)
    return Allowance(frozenset(hosts), tuple(suffixes), tuple(networks))
