"""Shapes of guardrails on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field

from gateway.core.wire import Flag, Number, Whole
from gateway.governance.policies.guardrails.patterns import MAX_PATTERN
from gateway.governance.policies.guards import Action

MOST_LISTS, MOST_PHRASES, MOST_PATTERNS = 20, 200, 20


def _storable(text: str) -> str:
    if "\0" in text or not text.strip():
        raise ValueError("must not be blank or contain NUL characters")
    return text


Phrase = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_storable)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_storable)]


class GuardIn(Schema):
    """What happens in each direction; a direction that is left out is left to others. In `shadow` the guardrail decides
    and records, and changes nothing."""

    model_config = ConfigDict(extra="forbid")
    input: Action | None = None
    output: Action | None = None
    shadow: Flag = False


class PiiIn(Schema):
    """Personal data, by kind."""

    model_config = ConfigDict(extra="forbid")
    card: GuardIn | None = None
    email: GuardIn | None = None
    iban: GuardIn | None = None
    ip: GuardIn | None = None
    national_id: GuardIn | None = None
    phone: GuardIn | None = None


class InjectionIn(GuardIn):
    """Signs of an attempt to give the model other instructions: from `threshold` on they count."""

    threshold: Number = Field(default=0.6, gt=0, le=1)


class LengthIn(GuardIn):
    """`output: mask` cuts an answer at its limit. Tokens are estimated: four bytes each."""

    max_input_chars: Whole | None = Field(default=None, ge=1, le=50_000_000)
    max_input_tokens: Whole | None = Field(default=None, ge=1, le=10_000_000)
    max_output_tokens: Whole | None = Field(default=None, ge=1, le=1_000_000)


class BlocklistIn(GuardIn):
    """The organization's own words. Phrases are whole words in any case and spacing; patterns are regular expressions
    of bounded width, checked when they are saved and run with a time limit."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    phrases: list[Phrase] = Field(default=[], max_length=MOST_PHRASES)
    patterns: list[Pattern] = Field(default=[], max_length=MOST_PATTERNS)


class GuardrailsIn(Schema):
    """Guardrails of one side of an overlay. One that is left out says nothing."""

    model_config = ConfigDict(extra="forbid")
    pii: PiiIn | None = None
    secrets: GuardIn | None = None
    injection: InjectionIn | None = None
    blocklist: list[BlocklistIn] | None = Field(default=None, max_length=MOST_LISTS)
    length: LengthIn | None = None


class GuardRuleOut(Schema):
    """One guardrail in force in one direction, and whose it is."""

    name: str
    direction: Literal["input", "output"]
    action: str
    shadow: bool
    set_by: str
    locked: bool
