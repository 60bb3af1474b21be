"""The form for a key: what was chosen, as the body of ``POST /v1/keys`` and of ``PATCH /v1/keys/{id}``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from console.forms import Form

MODES = (("live", "Live", "Counts and costs."), ("test", "Test", "Marked as a test everywhere."))
EXPIRIES = (("90", "in 90 days"), ("30", "in 30 days"), ("365", "in a year"), ("", "never"))
KEEP = ("keep", "as it is")
RATE_WINDOWS = (("1", "a second"), ("60", "a minute"), ("3600", "an hour"), ("86400", "a day"))
BUDGET_WINDOWS = (("month", "a month (UTC)"), ("day", "a day (UTC)"))
DISCONNECTS = (
    ("cancel", "End it", "The provider is told to stop; what was used is paid."),
    ("drain", "Let it run to its end", "For whoever comes back and takes the answer up again."),
)
EXTENSIONS = (("86400", "24 hours"), ("3600", "1 hour"), ("604800", "7 days"))
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
_LISTS = ("persona_ids", "subject_ids", "memory_scopes", "models", "origins", "ip_ranges")
_SINGLE = ("rate_limit", "rate_window", "budget", "budget_window", "budget_hard", "on_disconnect", "cache_s")
_START = {"rate_window": "60", "budget_window": "month", "budget_hard": "1", "on_disconnect": "cancel"}
_ABOUT = {
    "chat": "Talk to a persona",
    "memories:read": "Recall and list what is remembered",
    "memories:write": "Remember, correct and forget",
    "conversations:read": "Read what was said in conversations",
    "conversations:write": "Delete conversations",
    "personas:read": "See personas",
    "personas:write": "Create and publish personas",
    "policies:read": "See policies",
    "policies:write": "Change policies",
    "proposals:read": "See proposed writes",
    "proposals:write": "Propose writes",
    "proposals:decide": "Approve and reject proposed writes",
    "keys:read": "See keys, never their secrets",
    "keys:write": "Make, change, rotate and revoke keys",
    "tokens:write": "Make short-lived tokens for pages and agents",
    "usage:read": "See what was used and what it cost",
    "limits:write": "Change limits and budgets",
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


def form_of(request: Any, key: Mapping[str, Any] | None = None) -> Form:
    """The form as sent; on a GET as the key is, or new with a preset's scopes when the address names one."""
    preset = next((scopes for name, _, scopes in PRESETS if name == request.GET.get("preset")), ())
    start: dict[str, Any] = {"name": "", "mode": "live", "expires": "90", **dict.fromkeys((*_LISTS, *_SINGLE), "")}
    start |= {"width": "some" if preset else "all", "scopes": list(preset), **_START}
    if key is not None:
        start |= _shown(key)
    return Form.of(request, "name", "mode", "width", "expires", *_LISTS, *_SINGLE, several=("scopes",), **start)


def _shown(key: Mapping[str, Any]) -> dict[str, Any]:
    rate, budget = key.get("rate"), key.get("budget")
    shown: dict[str, Any] = {name: ", ".join(key.get(name) or ()) for name in _LISTS}
    shown |= {"name": key["name"], "mode": key["mode"], "expires": KEEP[0], "scopes": key["scopes"] or []}
    shown |= {"width": "all" if key["scopes"] is None else "some", "on_disconnect": key.get("on_disconnect")}
    if rate:
        shown |= {"rate_limit": str(rate["limit"]), "rate_window": str(rate["window_s"])}
    if budget:
        shown |= {"budget": f"{Decimal(budget['limit_micros']) / 1_000_000:f}", "budget_window": budget["window"]}
        shown["budget_hard"] = "1" if budget["hard"] else ""
    return shown | {"cache_s": str(key.get("cache_s") or "")}


def choices(form: Form) -> dict[str, Any]:
    """What the form's template offers, beside the scopes; also a window that was set elsewhere."""
    window = form.values["rate_window"]
    known = not window.isdigit() or window in dict(RATE_WINDOWS)
    return {
        "rate_windows": RATE_WINDOWS if known else (*RATE_WINDOWS, (window, f"{window} seconds")),
        "budget_windows": BUDGET_WINDOWS,
        "disconnects": DISCONNECTS,
    }


def body_of(form: Form) -> dict[str, Any]:
    """What goes to the API for a new key. Empty fields mean no restriction; a limited key has the scopes that are
    ticked."""
    body = {name: value for name, value in _limits(form).items() if value is not None}
    if body["on_disconnect"] == _START["on_disconnect"]:
        del body["on_disconnect"]
    return {**body, "mode": form.values["mode"] or "live"}


def change_of(form: Form, key: Mapping[str, Any]) -> dict[str, Any]:
    """What a key is changed by: every field that is not as it was. A list that nobody touched is not sent, whatever
    stands in it: an empty one, which allows nothing, looks like none."""
    body = _limits(form)
    for name in _LISTS:
        if form.values[name] == ", ".join(key.get(name) or ()):
            del body[name]
    if form.values["expires"] == KEEP[0]:
        del body["expires_at"]
    return {name: value for name, value in body.items() if value != key.get(name)}


def _limits(form: Form) -> dict[str, Any]:
    values = form.values
    body: dict[str, Any] = {
        "name": values["name"],
        "scopes": None,
        "on_disconnect": values["on_disconnect"] or "cancel",
    }
    if values["width"] == "some":
        body["scopes"] = sorted(values["scopes"])
        if not values["scopes"]:
            form.add("scopes", "Tick what the key may do, or let it do everything.")
    for name in _LISTS:
        listed = [part.strip() for part in values[name].replace("\n", ",").split(",") if part.strip()]
        body[name] = listed or None
    rate = _whole(form, "rate_limit")
    body["rate"] = {"limit": rate, "window_s": int(values["rate_window"] or 60)} if rate else None
    body["budget"] = _budget(form)
    body["cache_s"] = _whole(form, "cache_s")
    days = values["expires"]
    body["expires_at"] = (datetime.now(UTC) + timedelta(days=int(days))).isoformat() if days.isdigit() else None
    return body


def _whole(form: Form, name: str) -> int | None:
    text = form.values[name].replace(",", "")
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        form.add(name, "A whole number above zero, or nothing.")
        return None
    return int(text) if text else None


def _budget(form: Form) -> dict[str, Any] | None:
    text = form.values["budget"].removeprefix("$").replace(",", "").strip()
    if not text:
        return None
    try:
        micros = Decimal(text) * 1_000_000
        if not 1 <= micros <= 10**15:
            raise InvalidOperation
    except InvalidOperation:
        form.add("budget", "Dollars, such as 25 or 0.50, or nothing.")
        return None
    return {
        "limit_micros": int(micros),
        "window": form.values["budget_window"] or "month",
        "hard": form.values["budget_hard"] == "1",
    }
