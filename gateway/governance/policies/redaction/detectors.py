"""What is recognized: one bounded pattern per kind, and a check of the digits where the kind has one.

No pattern reads more than ``MAX_MATCH`` characters from its first one, which is what bounds both the time and how
much a stream holds back. Only ``HOLD`` characters may stand in a word that a match continues across a space
(``stream`` relies on it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from gateway.governance.policies.redaction import national
from gateway.governance.policies.terms import RedactMode

MAX_MATCH = 512
CONTEXT = 32  # the longest look-behind: so much of what is decided stays in sight
SPACES = " \u00a0"
HOLD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()+./-")

Span = tuple[int, int]
Accept = Callable[["re.Match[str]"], Span | None]


@dataclass(frozen=True, slots=True)
class Detector:
    """``needs`` must occur in a text for the pattern to be tried. What ``rest`` matches right after a find belongs
    to it, however long it is (it may look one character ahead, not more). ``until`` masks everything up to and
    including the next match of it."""

    label: str
    pattern: re.Pattern[str]
    accept: Accept
    needs: str = ""
    rest: re.Pattern[str] | None = None
    until: re.Pattern[str] | None = None

    def find(self, text: str, start: int) -> Span | None:
        """The first accepted span that begins at or after ``start``."""
        if self.needs and text.find(self.needs, start) < 0:
            return None
        while match := self.pattern.search(text, start):
            if span := self.accept(match):
                return span
            start = match.start() + 1
        return None


def whole(match: re.Match[str]) -> Span:
    """Accepts all that the pattern matched."""
    return match.span()


def _ends(match: re.Match[str]) -> Iterator[int]:
    """Where a number of several groups may end, the longest first: never inside a group."""
    text = match.string
    for end in range(match.end(), match.start(), -1):
        if text[end - 1].isalnum() and not (end < len(text) and text[end].isalnum()):
            yield end


def _card(match: re.Match[str]) -> Span | None:
    for end in _ends(match):
        digits = [int(char) for char in match.string[match.start() : end] if char.isdigit()]
        if 13 <= len(digits) <= 19 and _luhn(digits):
            return match.start(), end
    return None


def _luhn(digits: list[int]) -> bool:
    doubled = (digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(match: re.Match[str]) -> Span | None:
    for end in _ends(match):
        compact = "".join(char for char in match.string[match.start() : end] if char not in SPACES).upper()
        if (
            15 <= len(compact) <= 34
            and int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1
        ):
            return match.start(), end
    return None


def _phone(match: re.Match[str]) -> Span | None:
    return None if _DATE.match(match.group()) else match.span()


def _ipv6(match: re.Match[str]) -> Span | None:
    text = match.group()
    for candidate in (text, text[:-1]):
        try:
            IPv6Address(candidate)
        except AddressValueError:
            continue
        if candidate != "::":
            return match.start(), match.start() + len(candidate)
    return None


_DATE = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2,4}(?![0-9])|[0-9]{4}([./-])[0-9]{1,2}\2[0-9]{1,2}(?![0-9])")
_SIGNS = ("[:=]", "[:=][\"']", "[\"'][:=][\"']")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_JOINT = f"[)]?[{SPACES}./-]?[(]?"  # between two digits of a phone number; at most one space
_TOKENS = r"""
    sk-[\w-]{16,128} | (?:[spri]k)_(?:live|test)_\w{8,128} | whsec_[\w+/=]{16,128} | gh[pousr]_\w{20,128}
    | github_pat_\w{20,128} | glpat-[\w-]{16,128} | npm_\w{20,128} | pypi-[\w-]{16,128} | hf_\w{16,128}
    | xox[abeprs]-[\w-]{10,128} | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[\w-]{30,64} | ya29\.[\w-]{20,128}
    | SG\.[\w-]{16,128} | eyJ[\w-]{12,128}
"""
# What is called a secret where it stands: api_key=…, "password":"…". In a word of its own, with a letter and a digit.
_CALLED = (
    "api_key", "api-key", "apikey", "access_key", "access-key", "secret_key", "secret-key", "secret", "password",
    "passwd", "pwd", "auth_token", "auth-token",
)  # fmt: skip
_NAMED = (
    r"(?<=[:=\"'])(?:" + "|".join(rf"(?<={name}{sign})" for name in _CALLED for sign in _SIGNS) + ")"
    r"(?=[^\s\"',;]{0,127}[0-9])(?=[^\s\"',;]{0,127}[A-Za-z])[^\s\"',;]{8,128}"
)

_DEFAULT = (
    Detector(
        "secret", re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"), whole, "-----BEGIN ",
        until=re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY-----"),
    ),
    Detector(
        "secret", re.compile(rf"(?<![\w-])(?:{_TOKENS})", re.VERBOSE | re.ASCII), whole,
        rest=re.compile(r"(?:\.?[\w+/=-])*", re.ASCII),
    ),
    Detector("secret", re.compile(_NAMED, re.IGNORECASE), whole, rest=re.compile(r"[^\s\"',;]*")),
    Detector("secret", re.compile(r"(?<=://)[^\s/@:]{1,64}:[^\s/@]{1,128}(?=@)"), whole, "://"),
    Detector("card", re.compile(rf"(?<![0-9A-Za-z_])[2-6](?:[{SPACES}-]?[0-9]){{12,18}}"), _card),
    Detector("iban", re.compile(rf"(?<![0-9A-Za-z_])[A-Z]{{2}}[0-9]{{2}}(?:[{SPACES}]?[A-Z0-9]){{11,30}}"), _iban),
    Detector("iban", re.compile(r"(?<![0-9A-Za-z_])[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{11,30}(?![0-9A-Za-z_])"), _iban),
    Detector(
        "national_id",
        re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-])"), whole,
    ),
    Detector(
        "national_id",
        re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?!\w)"), whole,
    ),
    Detector("national_id", re.compile(r"(?<!\w)[0-9XYZ][0-9]{7}-?[A-Z](?!\w)"), national.spain),
    Detector(
        "national_id",  # Italy
        re.compile(r"(?<!\w)[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z](?!\w)", re.IGNORECASE), whole,
    ),
    Detector("national_id", re.compile(r"(?<![\w.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?![\w-])"), national.brazil),
    Detector(
        "national_id",
        re.compile(r"(?<![\w.-])[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?![\w-])"),
        national.france,
    ),
    Detector("national_id", re.compile(r"(?<![\w.-])[2-9][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}(?![\w-])"), national.india),
    Detector("national_id", re.compile(r"(?<![\w.])756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}(?!\w)"), whole, "756."),
)  # fmt: skip
_STRICT = (
    Detector(
        "email", re.compile(r"[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"), whole, "@",
        rest=re.compile(r"(?:\.?[\w-])*"),
    ),
    Detector("phone", re.compile(rf"(?<![\w+])(?:\+|00)[1-9](?:{_JOINT}[0-9]){{6,14}}(?![0-9])"), whole),
    Detector("phone", re.compile(rf"(?<![\w.+/-])(?:\([0-9]{{2,5}}\)|0[0-9])(?:{_JOINT}[0-9]){{5,12}}(?!\w)"), _phone),
    Detector(
        "phone",
        re.compile(r"(?<![\w.+-])(?:1[ .-])?\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}(?![\w-])"), whole,
    ),
    Detector("phone", re.compile(r"(?<![\w.+-])[0-9]{3}-[0-9]{4}(?![\w-])"), whole, "-"),
    Detector("phone", re.compile(r"(?<![\w.+-])[0-9]{10,11}(?![\w-]|\.[0-9])"), whole),
    Detector("ip", re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.[0-9])"), whole, "."),
    Detector("ip", re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{3,40}(?:\.[0-9]{1,3}){0,3}(?![\w:])"), _ipv6, ":"),
)  # fmt: skip

ALL = (*_DEFAULT, *_STRICT)
DETECTORS: dict[RedactMode, tuple[Detector, ...]] = {
    RedactMode.OFF: (),
    RedactMode.DEFAULT: _DEFAULT,
    RedactMode.STRICT: ALL,
}
