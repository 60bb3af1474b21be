"""Usage as sums over a time, in groups: read from the roll-ups, never from the entries.

Who may see everything is answered from the hourly roll-up; where subjects matter (a group, a filter or a caller who may
see some only) the daily one by subject answers, which knows fewer dimensions and whole days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import add
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.core.errors import BadRequest, FieldProblem
from gateway.platform.ledger.layout import PLACES, SUMS
from gateway.platform.ledger.types import LATENCY_BOUNDS, NO_KEY

# Group → column of the answer, expression, type of the column.
_HOURLY = {
    "day": ("day", "(hour AT TIME ZONE 'UTC')::date", "date"),
    "hour": ("hour", "hour", "timestamptz"),
    "model": ("model", "model", "text"),
    "key": ("key_id", "key_id", "uuid"),
    "persona": ("persona_id", "persona_id", "text"),
    "project": ("project_id", "project_id", "uuid"),
    "status": ("status", "status", "smallint"),
    "provider": ("provider", "provider", "text"),
    "user": ("user_id", "user_id", "uuid"),
    "surface": ("surface", "surface", "text"),
}
_BY_SUBJECT = {
    "day": ("day", "day", "date"),
    "model": ("model", "model", "text"),
    "key": ("key_id", "key_id", "uuid"),
    "persona": ("persona_id", "persona_id", "text"),
    "subject": ("subject_id", "subject_id", "text"),
}
GROUPS = tuple({**_HOURLY, **_BY_SUBJECT})
_STATUS = {0: "correction"}
_SUMMED = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in SUMS if name != "latency")
_SUMMED += "".join(f", coalesce(sum(latency[{place + 1}]), 0)::bigint" for place in PLACES)
_PLAIN = tuple(name for name in SUMS if name != "latency")


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """``start`` to ``end`` (excluded), both on a whole hour. ``filters`` by group name; ``personas`` and ``subjects``
    are what the caller may see, None for all."""

    start: datetime
    end: datetime
    group_by: tuple[str, ...] = ()
    filters: Mapping[str, str | UUID] = field(default_factory=dict)
    personas: tuple[str, ...] | None = None
    subjects: tuple[str, ...] | None = None

    @property
    def by_subject(self) -> bool:
        """Whether the roll-up by subject has to answer."""
        return self.subjects is not None or "subject" in (*self.group_by, *self.filters)


@dataclass(frozen=True, slots=True)
class Sums:
    """What was used. Money is micro-dollars; ``latency_ms`` is the sum over ``timed`` attempts, ``latency`` how many of
    them fell into each place of ``LATENCY_BOUNDS``; ``direct_micros`` is the part of the provider's cost that the
    organization pays there itself."""

    calls: int
    entries: int
    errors: int
    unpriced: int
    cache_hits: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    memory_recalls: int
    memory_operations: int
    provider_cost_micros: int
    markup_micros: int
    charged_micros: int
    direct_micros: int
    saved_micros: int
    timed: int
    latency_ms: int
    latency: tuple[int, ...]

    def __add__(self, other: Sums) -> Sums:
        plain = {name: getattr(self, name) + getattr(other, name) for name in _PLAIN}
        return Sums(**plain, latency=tuple(map(add, self.latency, other.latency)))

    def percentile(self, share: float) -> int | None:
        """The latency in ms that ``share`` of the attempts kept under, to within its place in the histogram; None
        without any."""
        seen = sum(self.latency)
        if seen <= 0:
            return None
        wanted, below = share * seen, 0
        for place, count in enumerate(self.latency):
            if count and below + count >= wanted:
                least = LATENCY_BOUNDS[place - 1] if place else 0
                most = LATENCY_BOUNDS[place] if place < len(LATENCY_BOUNDS) else least
                return round(least + (most - least) * (wanted - below) / count)
            below += count
        return LATENCY_BOUNDS[-1]


@dataclass(frozen=True, slots=True)
class Group:
    """``key``: the group's values by column (None where a request had none); ``place`` is where it stands in the order,
    for a cursor."""

    key: dict[str, Any]
    sums: Sums
    place: tuple[str, ...]


NOTHING = Sums(**dict.fromkeys(_PLAIN, 0), latency=(0,) * len(PLACES))


def totals(org_id: UUID, query: UsageQuery) -> Sums:
    """All of it together."""
    table, where, parameters = _source(org_id, query)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SUMMED} FROM {table} WHERE {where}", parameters)  # noqa: S608 - constants only
        return _sums(cursor.fetchone())


def groups(
    org_id: UUID,
    query: UsageQuery,
    *,
    limit: int = 50,
    after: Sequence[str] | None = None,
    least_micros: int | None = None,
) -> tuple[list[Group], bool]:
    """At most ``limit`` groups in ascending order of their values, after the place ``after``, and whether there are
    more; with ``least_micros`` only those that were charged so much. Raises BadRequest for a place that is none."""
    table, where, parameters = _source(org_id, query)
    known = _BY_SUBJECT if query.by_subject else _HOURLY
    columns = [known[name] for name in query.group_by]
    shown = ", ".join(expression for _, expression, _ in columns)
    if after is not None:
        _check_place(after, [kind for _, _, kind in columns])
        casts = ", ".join(f"%s::{kind}" for _, _, kind in columns)
        where, parameters = f"{where} AND ({shown}) > ({casts})", [*parameters, *after]
    order = ", ".join(str(number + 1) for number in range(len(columns)))
    having = ""
    if least_micros is not None:
        having, parameters = "HAVING sum(charged_micros) >= %s", [*parameters, least_micros]
    sql = f"SELECT {shown}, {_SUMMED} FROM {table} WHERE {where} GROUP BY {order} {having} ORDER BY {order} LIMIT %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, limit + 1])
        rows = cursor.fetchall()
    names = [name for name, _, _ in columns]
    found = [
        Group(
            {name: _shown(name, value) for name, value in zip(names, row, strict=False)},
            _sums(row[len(names) :]),
            tuple(_placed(value) for value in row[: len(names)]),
        )
        for row in rows[:limit]
    ]
    return found, len(rows) > limit


def organizations_since(on: BaseDatabaseWrapper, moment: datetime) -> list[UUID]:
    """The organizations that used anything in the hours since ``moment``, over a batch connection."""
    with on.cursor() as cursor:
        cursor.execute("SELECT DISTINCT org_id FROM public.ledger_hourly WHERE hour >= %s", [moment])
        return [org_id for (org_id,) in cursor.fetchall()]


def _source(org_id: UUID, query: UsageQuery) -> tuple[str, str, list[Any]]:
    """The roll-up, the condition and its parameters. Raises BadRequest where the roll-up by subject cannot answer."""
    known = _BY_SUBJECT if query.by_subject else _HOURLY
    for name in (*query.group_by, *query.filters):
        if name not in known:
            detail = f"Usage of subjects is not kept by {name}; choose from {', '.join(_BY_SUBJECT)}."
            problem = FieldProblem("#/query/group_by", "usage_group_unsupported", detail)
            raise BadRequest(detail, code="usage_group_unsupported", problems=(problem,))
    parameters: list[Any] = [org_id]
    if query.by_subject:
        table, where = "public.ledger_subject_daily", ["org_id = %s", "day >= %s AND day <= %s"]
        parameters += [query.start.date(), _last_day(query.end)]
    else:
        table, where = "public.ledger_hourly", ["org_id = %s", "hour >= %s AND hour < %s"]
        parameters += [query.start, query.end]
    for name, value in query.filters.items():
        where.append(f"{known[name][0]} = %s")
        parameters.append(value)
    for column, allowed in (("persona_id", query.personas), ("subject_id", query.subjects)):
        if allowed is not None:
            where.append(f"{column} = ANY(%s)")
            parameters.append(list(allowed))
    return table, " AND ".join(where), parameters


def _last_day(end: datetime) -> date:
    """The last day of which something lies before ``end``."""
    return datetime.fromtimestamp(end.timestamp() - 1, end.tzinfo).date()


def _sums(row: Sequence[Any]) -> Sums:
    plain = {name: int(value) for name, value in zip(_PLAIN, row, strict=False)}
    return Sums(**plain, latency=tuple(int(value) for value in row[len(_PLAIN) :]))


def _shown(name: str, value: Any) -> Any:
    if name == "status":
        return _STATUS.get(value, f"{value}xx")
    return None if value in ("", NO_KEY) else value


def _placed(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "uuid": UUID,
    "smallint": int,
    "text": str,
}


def _check_place(place: Sequence[str], kinds: Sequence[str]) -> None:
    try:
        if len(place) != len(kinds):
            raise ValueError("another grouping's cursor")
        for value, kind in zip(place, kinds, strict=True):
            _PARSERS[kind](value)
    except (ValueError, TypeError):
        problem = FieldProblem("#/query/cursor", "invalid_cursor", "not a cursor that this list returned")
        raise BadRequest("The cursor is not one that this list returned.", problems=(problem,)) from None
