"""What somebody does not want to be reminded of: "please don't bring up my divorce again" is about "my divorce". By
rules, for English; what is not recognized is the topic itself. Pure."""

from __future__ import annotations

import re

_POLITE = r"(?:(?:please|kindly|ok(?:ay)?|so|and|just)[,\s]+)*"
_ASKED = rf"(?:(?:can|could|would|will)\s+(?:you|we)\s+{_POLITE})?"
_NOT = r"(?:do\s+not|don['’]?t|never|no\s+longer)"
_SOMEBODY = r"(?:you|us|anyone|anybody|people|them)"
# Who does not want it, in whatever words.
_REFUSED = rf"""(?:
    (?:i|we)\s+(?:really\s+)?{_NOT}\s+(?:ever\s+|really\s+)*(?:want|wish|like|care|need)\s+(?:(?:for\s+)?{_SOMEBODY}\s+)?to
    | (?:i|we)(?:['’]?d|\s+would)\s+(?:rather|prefer)\s+(?:(?:if\s+)?{_SOMEBODY}\s+)?(?:not|didn['’]?t|never)(?:\s+to)?
    | (?:i|we)\s+prefer\s+not\s+to
    | let(?:['’]?s|\s+us)\s+(?:not|never|avoid|stop)
    | {_NOT}(?:\s+let['’]?s|\s+you)? | not(?:\s+to)? | stop | quit | avoid | no\s+more | refrain\s+from
)(?:\s+(?:ever|even))*"""
# What is not wanted, up to the topic.
_DONE = r"""(?:
    bring(?:ing)?(?:\s+up)? | mention(?:ing)? | discuss(?:ing)? | rais(?:e|ing) | touch(?:ing)?\s+(?:on|upon)
    | refer(?:ring)?\s+to | go(?:ing)?\s+into | (?:be(?:ing)?\s+)?(?:asked|reminded|told)\s+(?:about|of)
    | say(?:ing)?\s+(?:anything|more)\s+(?:about|on)
    | (?:hear(?:ing)?|know(?:ing)?)\s+(?:anything\s+|more\s+)?(?:about|of)
    | (?:talk|speak|ask|remind|think|chat|tell|joke)(?:ing)?\s+(?:(?:to|with)\s+)?(?:me\s+|us\s+)?(?:about|of)
)"""
_LEFT = r"(?:avoid|skip|forget|drop|leave\s+out|(?:steer|stay|keep)\s+(?:clear|away|off)(?:\s+(?:of|from))?)"
_ASKING = re.compile(
    rf"^{_POLITE}{_ASKED}(?:{_REFUSED}\s+{_DONE}|(?:let(?:['’]?s|\s+us)\s+)?{_LEFT}"
    r"|no\s+(?:talk|mention|word)\s+(?:of|about))\s+"
    r"(?:(?:about|of)\s+)?(?:(?:the\s+|any\s+)?(?:topic|subject|matter|mention|talk)\s+(?:of|about)\s+)?",
    re.IGNORECASE | re.VERBOSE,
)
_TABOO = re.compile(
    r"\s+(?:is|are)\s+(?:strictly\s+)?(?:off[\s-]+limits|(?:a\s+)?taboo|(?:a\s+)?no[\s-]+go|not\s+up\s+for\s+discussion)[.!?\s]*$",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"(?:[\s,]+(?:up|again|ever|any\s*more|please|at\s+all|right\s+now|(?:to|with|around)\s+(?:me|us)))*[\s.!?]*$",
    re.IGNORECASE,
)


def topic_of(statement: str) -> str:
    """What a request not to be reminded is about; any other statement is its own topic."""
    said = " ".join(statement.split())
    topic = _TABOO.sub("", _ASKING.sub("", said))
    return said if topic == said else _AGAIN.sub("", topic)
