"""What a question says besides its words: names, months, years, days. By rules, from the text alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_NUMBER = {name: index for index, name in enumerate(_MONTHS, 1)}
_NUMBER |= {name[:3]: index for name, index in _NUMBER.items()} | {"sept": 9}
# English words of their own: a month only beside a day, a year or a word that introduces a time.
_AMBIGUOUS = frozenset({"may", "march", "mar", "jan", "dec", "sep", "august"})
_INTRODUCES = frozenset(
    {"in", "of", "since", "during", "until", "till", "by", "before", "after", "around", "early", "mid", "late", "last",
     "this", "every", "from", "through", "between", "and", "or", "to"}
)  # fmt: skip
_DAY = r"(?P<{0}>[0-3]?\d)(?:st|nd|rd|th)?"
_NAME = r"(?P<month>" + "|".join(sorted(_NUMBER, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)\b"
_DATED = re.compile(
    rf"\b(?:{_DAY.format('before')}\s+(?:of\s+)?)?{_NAME}(?:\s+(?:the\s+)?{_DAY.format('after')}\b(?!\d|:))?(?:\s*,?\s*(?:of\s+)?{_YEAR})?",
    re.IGNORECASE,
)
_ISO = re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?:-(?P<day>0[1-9]|[12]\d|3[01]))?\b")
_BARE_YEAR = re.compile(rf"(?<![\d$€£.,-]){_YEAR}(?![\d-])")
_SEASON = re.compile(
    r"\b(?:in|of|during|last|this|early|late|the)\s+(?P<season>spring|summer|autumn|fall|winter)"
    rf"(?:\s*,?\s*(?:of\s+)?{_YEAR})?",
    re.IGNORECASE,
)
# The first month of each, in the northern half of the world; three months long.
_FIRST = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_RELATIVE = re.compile(r"\b(?:(?P<last>last|this)\s+(?P<unit>week|month|year)|(?P<day>today|yesterday))\b", re.I)
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")

# Words of questions that no attribute is called by.
_COMMON = frozenset(
    {"the", "and", "are", "was", "were", "has", "had", "have", "did", "does", "for", "with", "from", "into", "about",
     "who", "whom", "whose", "what", "when", "where", "which", "why", "how", "much", "many", "can", "could", "will",
     "would", "should", "his", "her", "hers", "him", "its", "our", "your", "their", "them", "they", "you", "she",
     "that", "this"}
)  # fmt: skip

Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Analysis:
    """``topic``: the text without the dates in it. ``words``: the text's words in lower case, possessives also without
    their ending. ``attributes``: those that may name what is asked for, in singular and plural. ``months``:
    numbers of months named without a year. ``ranges``: stretches of time named, from (included) to (excluded), in
    UTC."""

    topic: str
    words: tuple[str, ...]
    attributes: tuple[str, ...]
    months: tuple[int, ...] = ()
    ranges: tuple[Range, ...] = ()


def analyse(text: str, now: datetime) -> Analysis:
    """Names are not decided here: whether a word is one, the memories' speakers tell. ``now`` is what "last month" is
    counted from."""
    dates = _Dates(text)
    ranges = dates.ranges | set(_relative(dates.rest, now.astimezone(UTC)))
    words = _words(text)
    return Analysis(dates.rest, words, _attributes(words), tuple(sorted(dates.months)), tuple(sorted(ranges)))


def _attributes(words: Iterable[str]) -> tuple[str, ...]:
    found = {word for word in words if len(word) > 2 and word not in _COMMON}
    singular = {word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s") for word in found}
    return tuple(sorted(found | singular | {f"{word}s" for word in singular}))


class _Dates:
    """The months and the stretches of time that a text names, and the ``rest`` of it, without them."""

    def __init__(self, text: str) -> None:
        self.rest = text
        self.months: set[int] = set()
        self.ranges: set[Range] = set()
        self._years: set[int] = set()
        for match in self._take(_ISO):
            self._date(int(match["month"]), match["year"], int(match["day"] or 0))
        for match in self._take(_DATED, _is_month):
            self._date(_NUMBER[match["month"].lower()], match["year"], int(match["before"] or match["after"] or 0))
        for match in self._take(_SEASON):
            first = _FIRST[match["season"].lower()]
            for month in range(first, first + 3):
                year = str(int(match["year"]) + (month > 12)) if match["year"] else None
                self._date((month - 1) % 12 + 1, year)
        bare = {int(match["year"]) for match in self._take(_BARE_YEAR)}
        self._years |= bare
        if self.months and len(self._years) == 1:  # "in March or April 2023", "March, I think 2023"
            (only,) = self._years
            self.ranges |= {_stretch(only, month) for month in self.months}
            self.months.clear()
        else:
            self.ranges |= {_stretch(year) for year in bare}

    def _take(
        self, pattern: re.Pattern[str], accept: Callable[[str, re.Match[str]], bool] | None = None
    ) -> list[re.Match[str]]:
        """The pattern's matches, which later patterns do not see again."""
        taken = [match for match in pattern.finditer(self.rest) if accept is None or accept(self.rest, match)]
        for match in taken:
            self.rest = self.rest[: match.start()] + " " * len(match[0]) + self.rest[match.end() :]
        return taken

    def _date(self, month: int, year: str | None, day: int = 0) -> None:
        if year is None:
            self.months.add(month)
        else:
            self._years.add(int(year))
            self.ranges.add(_stretch(int(year), month, day))


def _words(text: str) -> tuple[str, ...]:
    found = [match[0].casefold() for match in _WORD.finditer(text)]
    return tuple(sorted({form for word in found for form in (word, _POSSESSIVE.sub("", word))}))


def _is_month(text: str, match: re.Match[str]) -> bool:
    if match["year"] or match["before"] or match["after"] or match["month"].lower() not in _AMBIGUOUS:
        return True
    before = _WORD.findall(text[: match.start("month")])
    return bool(before) and before[-1].casefold() in _INTRODUCES and match["month"][0].isupper()


def _stretch(year: int, month: int = 0, day: int = 0) -> Range:
    """The year, the month or the day, whatever is the smallest that is a real one."""
    if not month:
        return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    begin = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    if day and begin + timedelta(days=day - 1) < end:
        begin += timedelta(days=day - 1)
        end = begin + timedelta(days=1)
    return begin, end


def _relative(text: str, now: datetime) -> Iterator[Range]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for match in _RELATIVE.finditer(text):
        if match["day"]:
            begin = today - timedelta(days=match["day"].lower() == "yesterday")
            yield begin, begin + timedelta(days=1)
            continue
        unit, back = match["unit"].lower(), match["last"].lower() == "last"
        if unit == "week":
            begin = today - timedelta(days=today.weekday() + 7 * back)
            yield begin, begin + timedelta(days=7)
        elif unit == "month":
            first = today.replace(day=1)
            begin = (first - timedelta(days=1)).replace(day=1) if back else first
            yield begin, (begin + timedelta(days=32)).replace(day=1)
        else:
            begin = today.replace(year=today.year - back, month=1, day=1)
            yield begin, begin.replace(year=begin.year + 1)
