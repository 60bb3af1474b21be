"""The form for a new key: what was chosen, as the body of ``POST /v1/keys``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from console.forms import Form

MODES = (("live", "Live", "Counts and costs."), ("test", "Test", "Marked as a test everywhere."))
EXPIRIES = (("90", "in 90 days"), ("30", "in 30 days"), ("365", "in a year"), ("", "never"))
GRACES = (
    ("86400", "24 hours", "The usual: time to roll out the new one."),
    ("3600", "1 hour", ""),
    ("604800", "7 days", ""),
    ("0", "None", "The old secret stops within a second. For a leaked one."),
)
PRESETS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("server", "Server", ("chat", "memories:read", "memories:write", "personas:read", "proposals:read")),
    ("read", "Read only", ("memories:read", "personas:read", "policies:read", "proposals:read", "requests:read")),
    ("ci", "CI", ("chat", "personas:read", "personas:write")),
)
# What no key may ever have (docs/concepts/people.md).
_PEOPLE_ONLY = frozenset({"members:write", "organization:write", "sso:write", "billing:write", "flags:write"})
_LISTS = ("persona_ids", "subject_ids", "memory_scopes")
_ABOUT = {
    "chat": "Talk to a persona",
    "memories:read": "Recall and list what is remembered",
    "memories:write": "Remember, correct and forget",
    "personas:read": "See personas",
    "personas:write": "Create and publish personas",
    "policies:read": "See policies",
    "policies:write": "Change policies",
    "proposals:read": "See proposed writes",
    "proposals:decide": "Approve and reject proposed writes",
    "keys:read": "See keys, never their secrets",
    "keys:write": "Make, rotate and revoke keys",
    "requests:read": "See requests and what they cost",
    "audit:read": "Read the audit log",
    "operations": "Follow long work",
    "providers:read": "See providers and aliases",
    "providers:write": "Set provider keys and aliases",
    "members:read": "See who belongs here",
}


def scope_options(scopes: list[str]) -> list[tuple[str, str, str]]:
    """The scopes that may be given, with what each is for."""
    return [(scope, scope, _ABOUT.get(scope, "")) for scope in scopes if scope not in _PEOPLE_ONLY]


def form_of(request: Any) -> Form:
    """The form as sent; on a GET with a preset's scopes when the address names one."""
    preset = next((scopes for name, _, scopes in PRESETS if name == request.GET.get("preset")), ())
    start: dict[str, Any] = {"name": "", "mode": "live", "expires": "90", **dict.fromkeys(_LISTS, "")}
    start |= {"width": "some" if preset else "all", "scopes": list(preset)}
    return Form.of(request, "name", "mode", "width", "expires", *_LISTS, several=("scopes",), **start)


def body_of(form: Form) -> dict[str, Any]:
    """What goes to the API. Empty lists of names mean no restriction; a limited key has the scopes that are ticked."""
    values = form.values
    body: dict[str, Any] = {"name": values["name"], "mode": values["mode"] or "live"}
    if values["width"] == "some":
        body["scopes"] = values["scopes"]
        if not values["scopes"]:
            form.add("scopes", "Tick what the key may do, or let it do everything.")
    for name in _LISTS:
        listed = [part.strip() for part in values[name].replace("\n", ",").split(",") if part.strip()]
        if listed:
            body[name] = listed
    if values["expires"].isdigit():
        body["expires_at"] = (datetime.now(UTC) + timedelta(days=int(values["expires"]))).isoformat()
    return body
