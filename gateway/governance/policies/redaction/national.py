"""Check digits of national identity numbers: each takes what its pattern matched and accepts it or not."""

from __future__ import annotations

import re

Span = tuple[int, int]

# Verhoeff's dihedral group of order ten, and the permutation of each place.
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PLACES = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def spain(match: re.Match[str]) -> Span | None:
    """DNI and NIE: the letter is the number modulo 23."""
    text = match.group().replace("-", "")
    number = int({"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0]) + text[1:8])
    return match.span() if "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == text[8] else None


def brazil(match: re.Match[str]) -> Span | None:
    """CPF: two digits modulo 11; eleven times the same digit passes the sum and is none."""
    digits = [int(char) for char in match.group() if char.isdigit()]
    if len(set(digits)) == 1:
        return None
    for length in (9, 10):
        total = sum(digit * (length + 1 - at) for at, digit in enumerate(digits[:length]))
        if digits[length] != total * 10 % 11 % 10:
            return None
    return match.span()


def france(match: re.Match[str]) -> Span | None:
    """NIR: 97 less the number modulo 97; Corsica's departments stand for 19 and 18."""
    text = match.group().replace(" ", "").replace("2A", "19").replace("2B", "18")
    if not text.isdigit():
        return None
    return match.span() if int(text[13:]) == 97 - int(text[:13]) % 97 else None


def india(match: re.Match[str]) -> Span | None:
    """Aadhaar: Verhoeff's scheme."""
    check = 0
    digits = [int(char) for char in reversed(match.group()) if char.isdigit()]
    for at, digit in enumerate(digits):
        check = int(_D5[check][int(_PLACES[at % 8][digit])])
    return match.span() if check == 0 else None
