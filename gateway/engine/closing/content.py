"""What an organization's export holds: every row of its schema as one JSON object per line, sealed texts opened, files
as base64 and hashes as hex; and what the installation's own tables know of it.

Left out are secrets, what is computed from the rest, and what only the machine needs. The first line says all of it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from django.db import connection, transaction

from gateway.core import clock, crypto
from gateway.core.plain import plain
from gateway.engine.closing import outside
from gateway.engine.conversations.places import place as turn_place
from gateway.platform.requests.places import place as body_place
from tenants import selectors
from tenants.context import current

VERSION = 1
LEFT_OUT: Mapping[str, str] = {
    "django_migrations": "the state of the software",
    "idempotency_claim": "answers kept for a day for whoever asks twice",
    "memory_token": "computed from the memories' texts",
    "memory_embedding": "computed from the memories' texts",
    "organization_export": "this export, and those before it",
}
_BESIDES: Mapping[str, str] = {
    "secrets": "keys, tokens and passwords, of which hashes or seals alone are kept",
    "usage": "the hourly and daily sums, computed from the ledger's entries",
    "accounts": "people's own accounts and sessions, which stay theirs",
    "receipts": "signed receipts, which are kept: GET /v1/receipts, and GET /v1/account/receipts afterwards",
}
_SECRET = ("_ciphertext", "_kid", "_sha256")
_HASH = re.compile(r"(_|\A)(hash|signature)\Z")
_ROWS_AT_ONCE = 500
# Whose rows hold files or bodies of up to a megabyte.
_FEW_AT_ONCE = dict.fromkeys(("document_part", "billing_reconciliation", "request_body"), 8)


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
            "rules": plain([asdict(rule) for rule in organization.rules]),
            "settings": plain(asdict(organization.settings)),
        },
        "left_out": {**LEFT_OUT, **_BESIDES},
    }
    yield from outside.lines()
    for table in _tables():
        yield from _rows(table)


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
            cursor.itersize = _FEW_AT_ONCE.get(table, _ROWS_AT_ONCE)
            cursor.execute(f'SELECT * FROM "{current().schema}"."{table}"')  # noqa: S608 - names from the catalogue
            names = [column.name for column in cursor.description]
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                opened = opener(row) if opener is not None else {}
                kept = {name: _shown(name, value) for name, value in row.items() if not name.endswith(_SECRET)}
                yield {"type": "row", "table": table, "row": plain(kept | opened)}


def _shown(name: str, value: Any) -> Any:
    """A value as JSON has it: a hash as hex, other bytes as base64."""
    if not isinstance(value, bytes | memoryview):
        return value
    return bytes(value).hex() if _HASH.search(name) else base64.b64encode(bytes(value)).decode()


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
