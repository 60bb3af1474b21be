"""From a search to the database's condition over decision records."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q

from gateway.core import ids
from gateway.core.errors import NotFound
from gateway.platform.requests.query.terms import ANY, FIELDS, Ago, Glob, Kind, Op, Range, SearchQuery, Term, Value

_LOOKUPS = {Op.EQ: "", Op.GE: "__gte", Op.GT: "__gt", Op.LE: "__lte", Op.LT: "__lt"}
# Where a word without a field's name is looked for.
_ANYWHERE = ("outcome", "model", "persona_id", "subject_id")
_ID_LENGTH = 26
_ID_BEGINS = 4


def condition(query: SearchQuery, now: datetime) -> Q:
    """The condition; ``now`` is what relative times count from. A record that lacks a value has none of the field's
    values, so a negated term keeps it."""
    found = Q()
    for term in query.terms:
        one = _condition(term, now)
        found &= ~one if term.negated else one
    return found


def _condition(term: Term, now: datetime) -> Q:
    if term.field == ANY:
        return _anywhere(str(term.values[0]))
    field = FIELDS[term.field]
    if field.kind is Kind.TIME:
        return between(**{field.name: _moment(term.values[0], now)})
    if field.kind is Kind.REQUEST:
        return Q(**{f"{field.column}__in": [ids.parse("req", str(value)) for value in term.values]})
    found = reduce(or_, (_matches(field.column, value, term.op) for value in term.values))
    if term.field == "kind" and term.values == ("refusal",):
        found &= Q(status__gte=400)  # always so, and it is what the index of errors knows
    return found


def _matches(column: str, value: Value, op: Op) -> Q:
    if isinstance(value, Range):
        return Q(**{f"{column}__gte": value.low, f"{column}__lte": value.high})
    if isinstance(value, Glob):
        return _like(column, value.pattern)
    return Q(**{column + _LOOKUPS[op]: value})


def _like(column: str, pattern: str) -> Q:
    head, star, rest = pattern.partition("*")
    if star and not rest:
        return Q(**{f"{column}__startswith": head}) if head else Q(**{f"{column}__isnull": False})
    return Q(**{f"{column}__regex": "^" + ".*".join(re.escape(part) for part in pattern.split("*")) + "$"})


def _moment(value: Value, now: datetime) -> datetime:
    if isinstance(value, Ago):
        return now - timedelta(seconds=value.seconds)
    if not isinstance(value, datetime):
        raise TypeError("a time is a moment or so many seconds ago")
    return value


def between(*, since: datetime | None = None, until: datetime | None = None) -> Q:
    """Requests that arrived from ``since`` (included) to ``until`` (excluded): their ids begin with the moment, so the
    primary key finds them."""
    found = Q()
    if since is not None:
        found &= Q(id__gte=first_id(since))
    if until is not None:
        found &= Q(id__lt=first_id(until))
    return found


def first_id(moment: datetime) -> UUID:
    """The smallest request id of a moment, rounded up to the next millisecond."""
    milliseconds = -(-round(moment.timestamp() * 1_000_000) // 1000)
    return ids.uuid7_at(max(0, milliseconds), 0)


def _anywhere(word: str) -> Q:
    head, _, tail = word.partition("_")
    if head == "req" and len(tail) >= _ID_BEGINS:
        return _id_begins(tail)
    return reduce(or_, (Q(**{f"{column}__icontains": word}) for column in _ANYWHERE))


def _id_begins(tail: str) -> Q:
    """A request's id, or as much of its beginning as was copied."""
    try:
        low = ids.from_base32(tail.ljust(_ID_LENGTH, "0"))
        high = ids.from_base32(tail.ljust(_ID_LENGTH, "z"))
    except (ValueError, NotFound):
        return Q(pk__in=[])
    return Q(id__gte=low, id__lte=high)
