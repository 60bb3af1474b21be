"""How casual or stiff a text sounds, by its words. English; a text of another language shows none of these signs."""

from __future__ import annotations

import re

from gateway.knowledge.personas.words import words

EMOJI = re.compile("[\u2600-\u27bf\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]")
# Words that no formal answer has.
CASUAL = frozenset(words("hey yo gonna wanna gotta kinda sorta yeah yep nope lol dude bro awesome cool u ur thx pls"))
# Words that a casual answer does without.
STIFF = frozenset(
    words(
        "furthermore moreover hereby herewith henceforth pursuant regarding kindly sincerely accordingly nevertheless "
        "aforementioned therefore whilst hence endeavour endeavor commence utilise utilize ascertain facilitate"
    )
)
_CONTRACTION = re.compile(r"\b\w+['\u2019](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)


def emoji(text: str) -> int:
    """How many emoji there are; one of several code points counts as it is written, each sign by itself."""
    return len(EMOJI.findall(text))


def casual(text: str) -> list[str]:
    """The casual words, in the order of the alphabet."""
    return sorted(CASUAL & set(words(text)))


def stiff(text: str) -> list[str]:
    """The stiff words, in the order of the alphabet."""
    return sorted(STIFF & set(words(text)))


def contractions(text: str) -> int:
    """How often words are drawn together (``don't``, ``it's``)."""
    return len(_CONTRACTION.findall(text))
