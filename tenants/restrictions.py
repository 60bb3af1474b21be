"""What narrows a key: how each restriction is written, and when one is no wider than another.

The written form is checked and made uniform here, before anything is stored; who reads a stored one need not look
again. ``wider`` is the one answer to whether a key, a token or a change would allow more than whoever makes it may.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from gateway.core.errors import BadRequest, FieldProblem
from tenants.rules import KeyBudget, KeyRate

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What a key or a token is narrowed by; ``wider`` knows how to compare each.
NAMES = ("persona_ids", "subject_ids", "memory_scopes", "scopes", "models", "origins", "ip_ranges", "rate", "budget")
_MODEL = re.compile(r"[^\s/*]{1,128}(/(\*|[^\s*]{1,200}))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_ORIGIN = 300


class InvalidOrigin(BadRequest):
    default_code = "invalid_origin"


class InvalidRange(BadRequest):
    default_code = "invalid_ip_range"


class InvalidModel(BadRequest):
    default_code = "invalid_model"


def origin(text: str) -> str:
    """An origin as browsers send it: ``scheme://host[:port]`` in lower case, without a default port. Raises
    ValueError."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        raise ValueError("is not an origin such as https://app.example") from None
    beyond = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if not _SCHEME.fullmatch(parts.scheme) or not host or beyond or len(text) > _MAX_ORIGIN:
        raise ValueError(
            "is not an origin: scheme and host, perhaps a port, and nothing behind, as https://app.example"
        )
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}")


def _host(text: str) -> str:
    if ":" in text:
        return f"[{ipaddress.IPv6Address(text)}]"
    host = text if text.isascii() else text.encode("idna").decode("ascii")
    return host.lower() if _HOST.fullmatch(host.lower()) else ""


def ip_range(text: str) -> str:
    """A network in CIDR form; an address alone is a network of one. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("is neither an address nor a network such as 203.0.113.0/24 or 2001:db8::/32") from None


def model(text: str) -> str:
    """``provider/model``, ``provider/*`` or an alias. Raises ValueError."""
    if not _MODEL.fullmatch(text):
        raise ValueError("is not a model: provider/model, provider/* or an alias")
    return text


_WRITTEN: Mapping[str, tuple[Callable[[str], str], type[BadRequest]]] = {
    "origins": (origin, InvalidOrigin),
    "ip_ranges": (ip_range, InvalidRange),
    "models": (model, InvalidModel),
}


def uniform(name: str, values: Sequence[str] | None) -> list[str] | None:
    """A list as it is stored: sorted, each once, in uniform writing. Raises BadRequest naming each bad one."""
    if values is None:
        return None
    read, refused = _WRITTEN.get(name, (str, BadRequest))
    found: set[str] = set()
    problems: list[FieldProblem] = []
    for index, text in enumerate(values):
        try:
            found.add(read(text))
        except ValueError as error:
            problems.append(FieldProblem(f"#/{name}/{index}", refused.default_code, f"{text[:80]!r} {error}"))
    if problems:
        raise refused(f"{name}: {problems[0].message}.", problems=tuple(problems))
    return sorted(found)


def all_uniform(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Every restriction of a body as it is stored, so that it can be compared. Raises BadRequest."""
    listed = [name for name in NAMES if name not in ("rate", "budget")]
    return {name: uniform(name, value) if name in listed else value for name, value in limits.items()}


@lru_cache(maxsize=4_096)
def networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    """Stored ranges, ready to be asked."""
    return tuple(ipaddress.ip_network(text) for text in ranges)


def address_in(address: str, ranges: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the ranges; what is no address lies in none."""
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        return False
    asked = getattr(asked, "ipv4_mapped", None) or asked
    return any(asked in network for network in networks(ranges))


def wider(name: str, wanted: Any, own: Any) -> bool:
    """Whether ``wanted`` of a restriction allows anything that ``own`` does not. ``None`` allows everything."""
    if own is None:
        return False
    return wanted is None or not _WITHIN.get(name, _listed)(wanted, own)


def cut(name: str, wanted: Sequence[str] | None, own: Sequence[str] | None) -> tuple[str, ...] | None:
    """What is left of a list when ``own`` allows no more than it does; an empty one allows nothing."""
    if wanted is None:
        return None if own is None else tuple(own)
    return tuple(wanted) if own is None else tuple(one for one in wanted if not wider(name, (one,), own))


def other_teams(wanted: Sequence[str] | None, own: Sequence[str]) -> bool:
    """Whether a key that is in teams would make one that is not in just these: out of one it would leave its locks
    behind, in another it would come by its defaults."""
    return bool(own) and set(wanted or ()) != set(own)


def _listed(wanted: Sequence[str], own: Sequence[str]) -> bool:
    return set(wanted) <= set(own)


def _models(wanted: Sequence[str], own: Sequence[str]) -> bool:
    allowed = set(own)
    return all(one in allowed or ("/" in one and f"{one.partition('/')[0]}/*" in allowed) for one in wanted)


def _ranges(wanted: Sequence[str], own: Sequence[str]) -> bool:
    allowed = networks(tuple(own))
    asked = networks(tuple(wanted))
    return all(any(one.version == net.version and one.subnet_of(net) for net in allowed) for one in asked)  # type: ignore[arg-type]


def _rate(wanted: KeyRate, own: KeyRate) -> bool:
    """Neither faster in the long run nor in one burst."""
    return wanted.limit <= own.limit and wanted.limit * own.window_s <= own.limit * wanted.window_s


def _budget(wanted: KeyBudget, own: KeyBudget) -> bool:
    """A budget by the day cannot be held against one by the month, nor a soft one against a hard one."""
    return wanted.limit_micros <= own.limit_micros and wanted.window == own.window and (wanted.hard or not own.hard)


def _moment(wanted: datetime, own: datetime) -> bool:
    return wanted <= own


_WITHIN: Mapping[str, Callable[[Any, Any], bool]] = {
    "models": _models, "ip_ranges": _ranges, "rate": _rate, "budget": _budget, "expires_at": _moment,
}  # fmt: skip
