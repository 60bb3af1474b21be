"""What the installation's own tables know of an organization: members, invitations, keys, its sign-in, its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from gateway.core import clock
from gateway.core.pagination import Page
from gateway.core.plain import plain
from gateway.platform.ledger import exporting as ledger
from tenants import selectors
from tenants.context import current
from tenants.people import invitations, members
from tenants.sso import selectors as sso

_PAGE = 200
# Of a key: what it is proved by, and what tells workers of its changes.
_UNSAID = frozenset(
    {"secret_sha256", "previous_sha256", "version", "token_epoch", "revoked_version", "org_id", "public"}
)


def lines() -> Iterator[dict[str, Any]]:
    """Everything of the organization in scope that its schema does not hold."""
    for member in _all(members.list_page):
        yield plain(
            {"type": "member", "email": member.email, "name": member.name, "role": member.role,
             "joined_at": member.joined_at}
        )  # fmt: skip
    for one in _all(invitations.list_page):
        yield plain(
            {"type": "invitation", "email": one.email, "role": one.role, "state": one.state,
             "invited_by": one.invited_by, "created_at": one.created_at, "expires_at": one.expires_at}
        )  # fmt: skip
    for key in _all(selectors.keys_page):
        said = {name: value for name, value in asdict(key).items() if name not in _UNSAID}
        yield plain({"type": "key", **said, "id": key.public_id})
    yield from _sign_in()
    yield from _ledger()


def _all(list_page: Callable[..., Page[Any]]) -> Iterator[Any]:
    after = None
    while True:
        page = list_page(current(), limit=_PAGE, after=after)
        yield from page.data
        if page.next_cursor is None:
            return
        after = page.data[-1].id


def _sign_in() -> Iterator[dict[str, Any]]:
    connection = sso.connection_of(current().id)
    if connection is not None:
        yield plain(
            {"type": "sso_connection", "kind": connection.kind, "state": connection.state,
             "settings": connection.settings, "default_role": connection.default_role,
             "break_glass_user_id": connection.break_glass_user_id, "created_at": connection.created_at}
        )  # fmt: skip
    for domain in sso.domains(current().id):
        yield plain({"type": "sso_domain", "domain": domain.domain, "verified_at": domain.verified_at})


def _ledger() -> Iterator[dict[str, Any]]:
    """Every entry that the ledger still has, a batch at a time."""
    organization = selectors.organization(current().id)
    if organization is None:
        raise LookupError("The organization in scope is not in the directory.")
    day = timedelta(days=1)
    query = ledger.ExportQuery(organization.created_at - day, clock.now() + day)
    place: ledger.Place | None = None
    while True:
        rows, place = ledger.batch(current().id, query, place)
        for row in rows:
            yield {"type": "ledger_entry", **row}
        if place is None:
            return
