"""The organization's own patterns: what may be saved, and how it is run.

A pattern has a bounded width and looks at nothing around its match but word borders and line ends. So a stream can say
when nothing more may change what is found, and the time for one place is bounded; what is exponential all the same is
found out when it is saved, by running it against texts made to provoke it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from re import _constants as _codes  # type: ignore[attr-defined]  # the only reader of a pattern's width
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import regex

from gateway.governance.policies.guardrails.budgets import Budget

# Characters of one pattern and of its widest match; patterns of one overlay.
MAX_PATTERN, MAX_WIDTH, MAX_PATTERNS = 300, 200, 100
# CPU seconds: of one probe when a pattern is saved and of all of them in one save, and of one look into at most a few
# thousand characters later. What all looks at one text may take is a budget of its own.
PROBE_S, SAVE_S, RUN_S = 0.05, 3.0, 0.1
_PROBE_LENGTH, _MOST_LETTERS = 400, 10
_ESCAPED = re.compile(r"\\.", re.DOTALL)
# To one of the two engines it is a brace, to the other "almost like this".
_BRACE = re.compile(r"\{(?![0-9]*,?[0-9]*\})")
_LOOKS = {_codes.ASSERT, _codes.ASSERT_NOT, _codes.GROUPREF, _codes.GROUPREF_EXISTS}
_CATEGORY = {
    _codes.CATEGORY_DIGIT: "1", _codes.CATEGORY_SPACE: " ", _codes.CATEGORY_WORD: "a",
    _codes.CATEGORY_NOT_DIGIT: "a", _codes.CATEGORY_NOT_SPACE: "a", _codes.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


@lru_cache(maxsize=1_024)
def compiled(pattern: str) -> regex.Pattern[str]:
    """A saved pattern, ready to run; case is ignored."""
    return regex.compile(pattern, regex.IGNORECASE | regex.VERSION0)


@lru_cache(maxsize=1_024)
def width(pattern: str) -> int:
    """The most characters that a match of a pattern has."""
    return int(_parser.parse(pattern, re.IGNORECASE).getwidth()[1])


def problem(pattern: str, budget: Budget) -> str | None:
    """Why a pattern cannot be saved, None when it can; tried within what is left of the save's budget."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    if _BRACE.search(_ESCAPED.sub("", pattern)):
        return r"has a brace that repeats nothing: write \{"
    try:
        parsed = _parser.parse(pattern, re.IGNORECASE)
        compiled(pattern)
    except (re.error, regex.error, RecursionError, OverflowError, FutureWarning) as error:
        return f"is not a regular expression: {error}"
    nodes = list(_walk(parsed))
    if any(op in _LOOKS for op, _ in nodes):
        return r"uses look-around or back-references; word borders (\b) are there"
    least, most = parsed.getwidth()
    if least < 1:
        return "matches nothing at all, which is everywhere"
    if most > MAX_WIDTH:
        return f"may match more than {MAX_WIDTH} characters: write {{1,40}} in place of + or *"
    return _slow(budget) if _explodes(pattern, nodes, budget) else None


def _slow(budget: Budget) -> str:
    if budget.left <= 0:
        return f"could not be tried: all patterns of an overlay are, within {SAVE_S:g} s; save fewer or simpler ones"
    return "takes too long on some texts: repeat no part that repeats itself"


def _explodes(pattern: str, nodes: list[tuple[Any, Any]], budget: Budget) -> bool:
    ready = compiled(pattern)
    return any(_too_slow(ready, text, budget) for text in _probes(nodes))


def _too_slow(ready: regex.Pattern[str], text: str, budget: Budget) -> bool:
    """Twice over the limit: once may be the machine's fault."""
    for _ in range(2):
        try:
            budget.spend(lambda timeout: ready.search(text, timeout=timeout), at_most=PROBE_S)
        except TimeoutError:
            continue
        return False
    return True


def _probes(nodes: list[tuple[Any, Any]]) -> Iterator[str]:
    """Long repetitions of what the pattern is made of, with an end that it does not expect; all of it once more behind
    that, so that no engine gives up early because something is missing."""
    letters = list(dict.fromkeys([*_letters(nodes), "a", "1", " "]))[:_MOST_LETTERS]
    whole = "".join(letters)
    parts = [*letters, *(one + other for one in letters for other in letters if one != other), whole]
    for part in parts:
        text = (part * (_PROBE_LENGTH // len(part)))[:_PROBE_LENGTH]
        yield f"{text}\0{whole}"
        yield whole + text + "!"


def _letters(nodes: list[tuple[Any, Any]]) -> Iterator[str]:
    for op, value in nodes:
        if op in (_codes.LITERAL, _codes.NOT_LITERAL):
            yield chr(value)
        elif op is _codes.RANGE:
            yield chr(value[0])
        elif op is _codes.CATEGORY:
            yield _CATEGORY.get(value, "a")


def _walk(parsed: Any) -> Iterator[tuple[Any, Any]]:
    """Every node of a parsed pattern, those inside groups, choices and classes too."""
    for op, value in parsed:
        yield op, value
        yield from _inside(value)


def _inside(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, _parser.SubPattern):
        yield from _walk(value)
    elif isinstance(value, tuple | list):
        if len(value) == 2 and value[0] in _CLASS_PARTS:
            yield value[0], value[1]
        else:
            for part in value:
                yield from _inside(part)


_CLASS_PARTS = {_codes.LITERAL, _codes.RANGE, _codes.CATEGORY}
