"""How many connectors beyond the included ones an organization has. Whoever brings connectors fills this in."""

from __future__ import annotations

from collections.abc import Callable

from tenants.types import OrgRef

Count = Callable[[OrgRef], int]


def _none(ref: OrgRef) -> int:
    """Without connectors nobody has any."""
    return 0


_count: Count = _none


def fill(count: Count) -> None:
    """Install the counter of connectors that cost something each month (Slack, Notion, custom); called once, at
    start-up, inside whose scope the organization is."""
    global _count
    _count = count


def count(ref: OrgRef) -> int:
    """The paid connectors of the organization in scope."""
    return _count(ref)
