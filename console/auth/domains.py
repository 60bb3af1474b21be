"""What an organization may be called, going by the address of the person who makes it."""

from __future__ import annotations

# Addresses here say nothing about an organization.
_EVERYBODYS = frozenset(
    {
        "aol", "fastmail", "gmail", "gmx", "googlemail", "hey", "hotmail", "icloud", "live", "mac", "mail", "me", "msn",
        "outlook", "pm", "proton", "protonmail", "qq", "tuta", "tutanota", "web", "yahoo", "yandex", "zoho",
    }
)  # fmt: skip
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
_LONGEST = 60


def organization_name(email: str) -> str:
    """``owner@acme.example`` suggests ``Acme``; a public mail service suggests nothing."""
    labels = email.strip().lower().rpartition("@")[2].split(".")
    if len(labels) < 2 or not all(labels):
        return ""
    at = -3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL and len(labels[-1]) == 2 else -2
    name = labels[at]
    if name in _EVERYBODYS:
        return ""
    return " ".join(word[:1].upper() + word[1:] for word in name.split("-"))[:_LONGEST].strip()
