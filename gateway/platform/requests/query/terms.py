"""A search as a value: terms that must all hold, each with alternatives of which one must."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a field's values are: ``TEXT`` any text or a glob, ``WORD`` one of a few words, ``AMOUNT`` a whole number in
    the field's unit, ``FLAG`` true or false, ``TIME`` a moment, ``REQUEST`` the id of a request."""

    TEXT = "text"
    WORD = "word"
    AMOUNT = "amount"
    FLAG = "flag"
    TIME = "time"
    REQUEST = "request"


class Op(StrEnum):
    """How an amount is compared."""

    EQ = "="
    GE = ">="
    GT = ">"
    LE = "<="
    LT = "<"


@dataclass(frozen=True, slots=True)
class Glob:
    """Text in which ``*`` stands for any characters, none included."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Ago:
    """So many seconds before the search is run."""

    seconds: int


Value = str | Glob | int | Range | bool | Ago | datetime

# The pseudo-field of words without a field's name.
ANY = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One searchable field. ``column`` is the record's; ``words`` are the only values of a ``WORD``; ``unit`` of an
    amount is ``status``, ``ms`` or ``micros``."""

    name: str
    kind: Kind
    column: str
    words: tuple[str, ...] = ()
    unit: str = ""


FIELDS = {
    field.name: field
    for field in (
        Field("status", Kind.AMOUNT, "status", unit="status"),
        Field("code", Kind.TEXT, "outcome"),
        Field("model", Kind.TEXT, "model"),
        Field("provider", Kind.TEXT, "provider"),
        Field("persona", Kind.TEXT, "persona_id"),
        Field("subject", Kind.TEXT, "subject_id"),
        Field("key", Kind.TEXT, "key_id"),
        Field("user", Kind.TEXT, "user_id"),
        Field("surface", Kind.TEXT, "surface"),
        Field("latency", Kind.AMOUNT, "latency_ms", unit="ms"),
        Field("cost", Kind.AMOUNT, "charged_micros", unit="micros"),
        Field("cached", Kind.FLAG, "cached"),
        Field("state", Kind.WORD, "state", words=("settled", "estimated", "refused")),
        Field("kind", Kind.WORD, "kind", words=("request", "refusal")),
        Field("parent", Kind.REQUEST, "parent_id"),
        Field("since", Kind.TIME, "id"),
        Field("until", Kind.TIME, "id"),
    )
}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a field (``ANY`` for words that may stand anywhere) has one of the values, or none of them."""

    field: str
    values: tuple[Value, ...]
    op: Op = Op.EQ
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """All terms must hold; without any, every request fits."""

    terms: tuple[Term, ...] = ()
