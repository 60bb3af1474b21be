"""Reading a search: one pass from left to right, refusing with the place and what could stand there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.platform.requests.errors import InvalidQuery
from gateway.platform.requests.query import values
from gateway.platform.requests.query.terms import ANY, FIELDS, Field, Kind, Op, SearchQuery, Term, Value

MAX_LENGTH, MAX_TERMS, MAX_VALUES = 1000, 20, 20
_NAME = re.compile(r"([A-Za-z_]+):")
_OP = re.compile(r">=|<=|>|<|=")
_SPACE = re.compile(r"\s*")
_BARE_WORD = re.compile(r'[^\s"]+')
_BARE_VALUE = re.compile(r'[^\s",]+')


@dataclass(frozen=True, slots=True)
class Token:
    """A value as it was written. ``quoted`` text is taken literally."""

    text: str
    quoted: bool
    at: int


def parse(text: str) -> SearchQuery:
    """The search that ``text`` says; an empty one fits everything. Raises InvalidQuery."""
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(f"A search has at most {MAX_LENGTH} characters", position=MAX_LENGTH)
    return SearchQuery(tuple(_Reader(text).terms()))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def terms(self) -> list[Term]:
        found: list[Term] = []
        self._skip()
        while self._at < len(self._text):
            if len(found) == MAX_TERMS:
                raise InvalidQuery(f"A search has at most {MAX_TERMS} terms", position=self._at)
            found.append(self._term())
            if self._at < len(self._text) and not self._text[self._at].isspace():
                raise InvalidQuery("A space must stand between two terms", position=self._at, allowed=[" "])
            self._skip()
        return found

    def _term(self) -> Term:
        began = self._at
        negated = self._text.startswith("-", self._at)
        self._at += negated
        name = _NAME.match(self._text, self._at)
        if name is None:
            return Term(ANY, (self._token(_BARE_WORD).text,), negated=negated)
        field = FIELDS.get(name[1].lower())
        if field is None:
            told = f"There is no field {name[1]!r}; put text with a colon in quotes"
            raise InvalidQuery(told, position=self._at, allowed=list(FIELDS))
        self._at = name.end()
        if negated and field.kind is Kind.TIME:
            raise InvalidQuery(f"{field.name} cannot be negated", position=began, allowed=[field.name])
        return self._of_field(field, negated)

    def _of_field(self, field: Field, negated: bool) -> Term:
        op, at = Op.EQ, self._at
        if field.kind is Kind.AMOUNT and (written := _OP.match(self._text, self._at)):
            op, self._at = Op(written[0]), written.end()
        found = [self._value(field)]
        while self._text.startswith(",", self._at):
            self._at += 1
            if len(found) == MAX_VALUES:
                raise InvalidQuery(f"A term has at most {MAX_VALUES} values", position=self._at)
            found.append(self._value(field))
        if field.kind is Kind.TIME and len(found) > 1:
            raise InvalidQuery(f"{field.name} has one value", position=at)
        if op is not Op.EQ and (len(found) > 1 or not isinstance(found[0], int)):
            raise InvalidQuery(f"{op} compares with one number", position=at, allowed=values.EXAMPLES[field.unit])
        return Term(field.name, tuple(found), op, negated)

    def _value(self, field: Field) -> Value:
        return values.read(field, self._token(_BARE_VALUE))

    def _token(self, bare: re.Pattern[str]) -> Token:
        at = self._at
        if self._text.startswith('"', at):
            return self._quoted()
        found = bare.match(self._text, at)
        if found is None:
            raise InvalidQuery("A value is missing", position=at)
        self._at = found.end()
        return Token(found[0], quoted=False, at=at)

    def _quoted(self) -> Token:
        began, at, parts = self._at, self._at + 1, list[str]()
        while at < len(self._text):
            char = self._text[at]
            if char == '"':
                self._at = at + 1
                if not parts:
                    raise InvalidQuery("A quoted value is empty", position=began)
                return Token("".join(parts), quoted=True, at=began)
            if char == "\\":
                at += 1
                char = self._text[at : at + 1]
                if char not in ('"', "\\"):
                    raise InvalidQuery(
                        "A backslash escapes a quote or itself", position=at - 1, allowed=['\\"', "\\\\"]
                    )
            parts.append(char)
            at += 1
        raise InvalidQuery("The quote is never closed", position=began, allowed=['"'])

    def _skip(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
