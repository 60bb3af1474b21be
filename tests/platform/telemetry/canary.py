"""Everywhere that something could have leaked to: each place as text, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import redis
from django.conf import settings
from psycopg import sql

from tests.factories.organizations import raw_parameters
from tests.platform.telemetry.conftest import TOKEN, Observed


def of_operator(observed: Observed) -> Iterator[tuple[str, str]]:
    """Logs of every process, traces and events as they went over the wire, and the metrics."""
    product = observed.gateway
    processes = {
        "observed web": observed.web, "web": product.web, "worker": product.worker, "scheduler": product.scheduler,
    }  # fmt: skip
    for name, process in processes.items():
        yield f"the log of {name}", process.output
    for body in list(observed.receiver.raw):
        yield "telemetry", body.decode("utf-8", "replace")
    for base_url in (observed.base_url, product.base_url):
        answer = httpx.get(f"{base_url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30)
        assert answer.status_code == 200
        yield "metrics", answer.text


def of_database() -> Iterator[tuple[str, str]]:
    """Every row of every table in every schema, as ``pg_dump --data-only`` would write it."""
    with psycopg.connect(**raw_parameters(), autocommit=True) as connection:
        tables = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        ).fetchall()
        assert len(tables) > 50
        for schema, table in tables:
            statement = sql.SQL("COPY {}.{} TO STDOUT").format(sql.Identifier(schema), sql.Identifier(table))
            with connection.cursor().copy(statement) as rows:
                yield f"table {schema}.{table}", b"".join(bytes(row) for row in rows).decode("utf-8", "replace")


def of_store() -> Iterator[tuple[str, str]]:
    """Every key of the state store with all that it holds."""
    client = redis.Redis.from_url(settings.IKIRO_REDIS_URL)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    try:
        for key in client.scan_iter(count=1_000):
            kind = client.type(key)
            if kind in readers:  # ``none``: it ran out meanwhile
                held = readers[kind](key)
                yield f"key {key.decode('utf-8', 'replace')}", key.decode("utf-8", "replace") + _text(held)
    finally:
        client.close()


def _text(held: Any) -> str:
    if isinstance(held, bytes):
        return held.decode("utf-8", "replace")
    if isinstance(held, dict):
        return " ".join(_text(one) for pair in held.items() for one in pair)
    if isinstance(held, list | tuple | set):
        return " ".join(_text(one) for one in held)
    return str(held)
