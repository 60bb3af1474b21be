"""Every lint rule: its id, how much it weighs, what it wants and what to do about it. A finding names one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.knowledge.personas.types import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``what`` is what it wants of a cartridge, ``fix`` what to do where it does not have it."""

    id: str
    severity: Severity
    what: str
    fix: str

    def at(self, place: str, message: str, fix: str | None = None) -> Finding:
        """What this rule found at a place (a JSON pointer)."""
        return Finding(place, self.id, self.severity, message, fix or self.fix)


_SCHEMA = {
    "type": ("The value has the type that the schema gives.", "Use the type that the schema gives."),
    "required": ("What the schema requires is there.", "Add the missing field."),
    "enum": ("The value is one of those that the schema lists.", "Use one of the listed values."),
    "minLength": ("The text is long enough.", "Write something."),
    "maxLength": ("The text is short enough.", "Shorten it."),
    "minimum": ("The number is large enough.", "Use a larger number."),
    "maximum": ("The number is small enough.", "Use a smaller number."),
    "minItems": ("The list has enough entries.", "Add an entry, or leave the list out."),
    "maxItems": ("The list has no more entries than the schema allows.", "Keep the most important entries."),
    "uniqueItems": ("No entry is there twice.", "Remove the repeated entry."),
    "minProperties": ("The object is not empty.", "Add a field, or leave the object out."),
    "additionalProperties": (
        "There is no field that the format does not know.",
        "Remove the field, or put what is your own under meta or, in 1.2, under a name that begins with x-.",
    ),
}
_ALL = (
    *(Rule(f"schema.{keyword}", "error", what, fix) for keyword, (what, fix) in _SCHEMA.items()),
    Rule("storable", "error", "Texts hold no NUL character and no half surrogate pair, numbers are finite.",
         "Remove it."),
    Rule("id-slug", "error", "The id is 1 to 64 letters, digits, dots, dashes or underscores.",
         "Use a slug such as support-bot; @ is kept for naming a version."),
    Rule("id-reserved", "error", "The id is none of the words that the API's own paths use.",
         "Use another id, such as lint-bot."),
    Rule("id-matches", "error", "A new version has the id of its persona.",
         "A new id is a new persona: create it."),
    Rule("document-size", "error", "The document has at most 32,000 characters.", "Shorten the rules and examples."),
    Rule("document-depth", "error", "The document is nested at most 32 levels deep.", "Flatten what is your own."),
    Rule("examples-length", "error", "The examples have at most 800 characters together.",
         "Keep the one or two that show the tone best."),
    Rule("safety-redirect", "error", "There is at least one safety redirect.",
         'Add one, such as {"pattern": "medical|legal", "redirect": "I can\'t advise on that. Ask a doctor."}.'),
    Rule("redirect-blank", "error", "A redirect says something: it is the whole answer.",
         "Write what to say instead, such as: Please ask a professional about that."),
    Rule("example-blank", "error", "Both sides of an example say something.",
         "Write both sides, or remove the example."),
    Rule("redirect-words", "error", "A redirect's pattern is plain words, separated by |.",
         "Write the words out: medical|legal."),
    Rule("pii-email", "error", "There is no e-mail address anywhere.", "Use the placeholder {{email}}."),
    Rule("pii-phone", "error", "There is no phone number anywhere.", "Use the placeholder {{phone}}."),
    Rule("pii-id", "error", "There is no card, bank account or national identity number anywhere.",
         "Use the placeholder {{id}}."),
    Rule("pii-secret", "error", "There is no key, token or password anywhere.",
         "Remove it, and change it where it is in use: others have seen it."),
    Rule("pii-ip", "warning", "There is no IP address.", "Use the placeholder {{ip}}."),
    Rule("pii-number", "warning", "There is no long number that could be somebody's id.",
         "Use the placeholder {{id}}, or write the number with fewer than nine digits."),
    Rule("tone-known", "warning", "The tone is friendly, concise, formal, playful or expert.",
         "Pick one of the known tones."),
    Rule("tone-compound", "warning", "The tone is one word.", "Pick the one that matters most."),
    Rule("do-and-dont", "warning", "Nothing is asked for and forbidden at once; dont wins where it is.",
         "Remove it from one of the two."),
    Rule("rule-blank", "warning", "No rule is blank.", "Remove it."),
    Rule("redirect-twice", "warning", "A word leads to one redirect; only the first that has it is ever used.",
         "Remove it from the later one."),
    Rule("examples-tone", "warning", "The examples show the final tone: no emoji, slang or casual words that the style "
         "forbids.", "Rewrite the example in the style that the cartridge asks for."),
    Rule("clarifying-question", "advice", "One rule says when to ask a clarifying question.",
         "Add one, such as: Ask one clarifying question when the request is ambiguous."),
    Rule("rule-short", "advice", "A rule has at most 20 words.", "Split it, or say only what to do."),
    Rule("rule-concrete", "advice", "A rule says something that can be seen in an answer.",
         "Say what to write or to leave out, such as: Answer in at most three sentences."),
    Rule("redirect-domain", "advice", "At least one redirect is about a subject that this persona will be asked about.",
         "Add one for your field, such as medical|legal|tax."),
    Rule("example-pressure", "advice", "One or two examples show the persona under pressure.",
         "Add an example with an angry or impatient person."),
    Rule("tone-wordy", "advice", "A tone is at most four words.", "Keep the words that change an answer."),
)  # fmt: skip

RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}


def schema_fix(keyword: str, expected: Any) -> str:
    """What to do where a schema's keyword was broken, with what the schema expects."""
    rule = RULES[f"schema.{keyword}"]
    if keyword == "enum":
        return f"Use one of {', '.join(map(str, expected))}."
    if keyword in {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "type"}:
        return f"{rule.fix} ({keyword}: {expected})"
    return rule.fix
