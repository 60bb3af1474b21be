"""From the usage streams to PostgreSQL: committed first, deleted from the stream afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import redis
import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.core.valkey import SHARDS
from gateway.platform.ledger import lines, writer
from gateway.platform.ledger.lines import Arrival
from gateway.platform.ledger.names import dead_stream, usage_stream

log = structlog.get_logger(__name__)

WriteRecords = Callable[[UUID, list[dict[str, Any]]], None]

_STREAMS = {usage_stream(shard): shard for shard in range(SHARDS)}
_DEAD_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class _Entry:
    shard: int
    id: bytes
    fields: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Dead:
    entry: _Entry
    error: str


def drain(
    client: redis.Redis, connection: BaseDatabaseWrapper, write_records: WriteRecords, *, count: int = 200
) -> int:
    """Move at most ``count`` entries of every shard; returns how many left the streams (0: nothing is waiting).

    One transaction: ledger rows with their roll-up, then per organization ``write_records(org_id, records)``, which
    must take a record twice without harm. After the commit the entries are deleted; a crash in between repeats them,
    and the ledger's key makes that harmless. What cannot be written goes to the shard's ``dead`` stream with the error
    and holds nothing back; trouble of the database itself is raised with every entry still in its stream.
    """
    entries = _read(client, count)
    if not entries:
        return 0
    arrivals, dead = _decode(entries)
    with transaction.atomic(using=connection.alias):
        rows = [arrival for _, arrival in arrivals if arrival.row is not None]
        refused = {id(arrival): error for arrival, error in writer.write(connection, rows)}
        dead += [_Dead(entry, refused[id(arrival)]) for entry, arrival in arrivals if id(arrival) in refused]
        kept = [(entry, arrival) for entry, arrival in arrivals if id(arrival) not in refused]
        dead += _records(connection, write_records, kept)
    _bury(client, dead)
    _delete(client, entries)
    return len(entries)


def _read(client: redis.Redis, count: int) -> list[_Entry]:
    found: Any = client.xread(dict.fromkeys(_STREAMS, "0-0"), count=count)
    return [_Entry(_STREAMS[name.decode()], entry_id, fields) for name, stream in found for entry_id, fields in stream]


def _decode(entries: list[_Entry]) -> tuple[list[tuple[_Entry, Arrival]], list[_Dead]]:
    arrivals: list[tuple[_Entry, Arrival]] = []
    dead: list[_Dead] = []
    for entry in entries:
        try:
            arrivals.append((entry, lines.decode(f"{entry.shard:02d}-{entry.id.decode()}", entry.fields)))
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.DecodeError) as error:
            dead.append(_Dead(entry, f"{type(error).__name__}: {error}"))
    return arrivals, dead


def _records(
    connection: BaseDatabaseWrapper, write_records: WriteRecords, kept: list[tuple[_Entry, Arrival]]
) -> list[_Dead]:
    by_org: defaultdict[UUID, list[tuple[_Entry, Arrival]]] = defaultdict(list)
    for entry, arrival in kept:
        by_org[arrival.org_id].append((entry, arrival))
    dead: list[_Dead] = []
    for org_id, group in by_org.items():
        if _written(connection, write_records, org_id, group) is None:
            continue
        for one in group:
            error = _written(connection, write_records, org_id, [one])
            if error is not None:
                dead.append(_Dead(one[0], error))
    return dead


def _written(
    connection: BaseDatabaseWrapper, write_records: WriteRecords, org_id: UUID, group: list[tuple[_Entry, Arrival]]
) -> str | None:
    """None when written, else why not."""
    try:
        with transaction.atomic(using=connection.alias):
            write_records(org_id, [arrival.record for _, arrival in group])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one organization must not stop the others
        return f"{type(error).__name__}: {error}"
    return None


def _bury(client: redis.Redis, dead: list[_Dead]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for one in dead:
            log.error("ledger.entry_dead", shard=one.entry.shard, id=one.entry.id.decode(), error=one.error)
            fields: dict[Any, Any] = {**one.entry.fields, b"id": one.entry.id, b"error": one.error[:500]}
            pipeline.xadd(dead_stream(one.entry.shard), fields, maxlen=_DEAD_KEPT)
        pipeline.execute()


def _delete(client: redis.Redis, entries: list[_Entry]) -> None:
    by_shard: defaultdict[int, list[bytes]] = defaultdict(list)
    for entry in entries:
        by_shard[entry.shard].append(entry.id)
    with client.pipeline(transaction=False) as pipeline:
        for shard, entry_ids in by_shard.items():
            pipeline.xdel(usage_stream(shard), *entry_ids)
        pipeline.execute()
