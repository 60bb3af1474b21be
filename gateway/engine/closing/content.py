"""What an organization's export holds: every row of its schema as one JSON object per line, sealed texts opened.

Left out are secrets (providers' keys, hashes), what is computed from the rest, and what only the machine needs. The
first line says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import connection, transaction

from gateway.core import clock, crypto
from gateway.core.plain import plain
from gateway.engine.conversations.places import place as turn_place
from gateway.platform.requests.places import place as body_place
from tenants import selectors
from tenants.context import current
from tenants.people import members

VERSION = 1
LEFT_OUT: Mapping[str, str] = {
    "django_migrations": "the state of the software",
    "idempotency_claim": "answers kept for a day for whoever asks twice",
    "memory_token": "computed from the memories' texts",
    "memory_embedding": "computed from the memories' texts",
    "organization_export": "this export, and those before it",
}
_SECRET = ("_ciphertext", "_kid", "_sha256")
_ROWS_AT_ONCE = 500


def lines() -> Iterator[dict[str, Any]]:
    """Everything of the organization in scope, table after table, each as it was at one moment. Raises NoTenant."""
    organization = selectors.organization(current().id)
    if organization is None:
        raise LookupError("The organization in scope is not in the directory.")
    yield {
        "type": "export",
        "version": VERSION,
        "exported_at": clock.now().isoformat(),
        "organization": {
            "id": organization.ref.public_id,
            "slug": organization.slug,
            "name": organization.name,
            "plan": organization.plan,
            "created_at": organization.created_at.isoformat(),
        },
        "left_out": dict(LEFT_OUT) | {"secrets": "keys, tokens and passwords, of which hashes or seals alone are kept"},
    }
    yield from _directory()
    for table in _tables():
        yield from _rows(table)


def _directory() -> Iterator[dict[str, Any]]:
    """Members and keys, from the installation's own tables."""
    ref, after = current(), None
    while True:
        page = members.list_page(ref, limit=200, after=after)
        for member in page.data:
            yield plain(
                {
                    "type": "member",
                    "email": member.email,
                    "name": member.name,
                    "role": member.role,
                    "joined_at": member.joined_at,
                }
            )
            after = member.id
        if page.next_cursor is None:
            break
    after = None
    while True:
        keys = selectors.keys_page(ref, limit=200, after=after)
        for key in keys.data:
            yield plain(
                {
                    "type": "key",
                    "id": key.public_id,
                    "name": key.name,
                    "mode": key.mode,
                    "scopes": key.scopes,
                    "persona_ids": key.persona_ids,
                    "subject_ids": key.subject_ids,
                    "memory_scopes": key.memory_scopes,
                    "models": key.models,
                    "created_at": key.created_at,
                    "revoked_at": key.revoked_at,
                }
            )
            after = key.id
        if keys.next_cursor is None:
            return


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1",
            [current().schema],
        )
        return [name for (name,) in cursor.fetchall() if name not in LEFT_OUT]


def _rows(table: str) -> Iterator[dict[str, Any]]:
    """One table through a cursor on the server, so that no table need fit into memory."""
    opener = _OPENERS.get(table)
    with transaction.atomic():
        raw = connection.connection
        with raw.cursor(name="organization_export") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(f'SELECT * FROM "{current().schema}"."{table}"')  # noqa: S608 - names from the catalogue
            names = [column.name for column in cursor.description]
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                opened = opener(row) if opener is not None else {}
                kept = {name: value for name, value in row.items() if _is_kept(name, value)}
                yield {"type": "row", "table": table, "row": plain(kept | opened)}


def _is_kept(name: str, value: Any) -> bool:
    return not name.endswith(_SECRET) and not isinstance(value, bytes | memoryview)


def _turn(row: dict[str, Any]) -> dict[str, Any]:
    return {"said": _opened(row["said_ciphertext"], row["said_kid"], turn_place(row["id"]))}


def _body(row: dict[str, Any]) -> dict[str, Any]:
    return {"body": _opened(row["body_ciphertext"], row["body_kid"], body_place(row["id"]))}


def _opened(sealed: bytes, kid: str, place: tuple[Any, ...]) -> str | None:
    """The text; None where its key is not on the ring any more, which nobody can mend."""
    try:
        return crypto.unseal(bytes(sealed), kid, *place).reveal()
    except crypto.Unreadable:
        return None


_OPENERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "conversation_turn": _turn,
    "request_body": _body,
}
