"""Writing a search in its one canonical form: ``parse(render(query)) == query``."""

from __future__ import annotations

import re
from datetime import datetime

from gateway.platform.requests.query.terms import ANY, FIELDS, Ago, Glob, Kind, Op, Range, SearchQuery, Term, Value

_PLAIN = re.compile(r"[A-Za-z0-9_./@%+$#~][A-Za-z0-9_./@%+$#~-]*")
_RANGE = ".."


def render(query: SearchQuery) -> str:
    """The text of a search."""
    return " ".join(_term(term) for term in query.terms)


def _term(term: Term) -> str:
    sign = "-" if term.negated else ""
    if term.field == ANY:
        return sign + _text(str(term.values[0]))
    op = "" if term.op is Op.EQ else term.op.value
    unit = FIELDS[term.field].unit
    return f"{sign}{term.field}:{op}" + ",".join(_value(value, unit) for value in term.values)


def _value(value: Value, unit: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case Glob():
            return value.pattern
        case Range():
            return _amount(value.low, unit) + _RANGE + _amount(value.high, unit)
        case Ago():
            return f"{value.seconds}s"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case int():
            return _amount(value, unit)


def _amount(value: int, unit: str) -> str:
    if unit == "micros":
        return f"{value // 1_000_000}.{value % 1_000_000:06d}"
    return f"{value}ms" if unit == "ms" else str(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def grammar() -> dict[str, list[str]]:
    """For each field, what its values look like."""
    shown = {
        Kind.TEXT: ["text", "openai/*", '"with spaces"'],
        Kind.FLAG: ["true", "false"],
        Kind.TIME: ["24h", "7d", "2026-11-02T09:00:00Z"],
        Kind.REQUEST: ["req_…"],
    }
    amounts = {"status": [">=400", "4xx"], "ms": [">2s"], "micros": [">0.01"]}
    return {
        name: list(field.words) if field.kind is Kind.WORD else shown.get(field.kind, amounts.get(field.unit, []))
        for name, field in FIELDS.items()
    }
