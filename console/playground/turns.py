"""What is asked in the playground: one message, to one or two panes that each have a persona, a model and a past."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from console.forms import Form

PANES = ("a", "b")
REDACTION = (("", "as the policy says"), ("off", "off"), ("default", "default"), ("strict", "strict"))
_LONGEST_PAST = 20
_SHARED = ("subject_id", "memory_scopes", "redact_mode", "temperature", "max_tokens", "message")
_OF_PANE = ("persona", "model", "history")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to one pane. ``history`` are the messages before it, ``body`` is the call of ``/v1/chat``."""

    pane: str
    question: str
    history: list[dict[str, str]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)

    def after(self, answer: str) -> str:
        """The pane's past once it has answered, as the form carries it."""
        said = [{"role": "user", "content": self.question}, {"role": "assistant", "content": answer}]
        return json.dumps([*self.history, *said][-_LONGEST_PAST:])


def form_of(request: Any, *, persona: str, model: str, subject: str) -> Form:
    """The form as it was sent; on a GET with the address's choices, so that a link brings them along."""
    names = (*_SHARED, *(f"{name}_{pane}" for pane in PANES for name in _OF_PANE))
    if request.method == "POST":
        return Form.of(request, *names, "compare")
    given = request.GET
    start = {"persona_a": persona, "model_a": model, "persona_b": persona, "model_b": model, "subject_id": subject}
    values = {name: given.get(name) or start.get(name, "") for name in names}
    return Form({**values, "compare": "1" if given.get("compare") else ""})


def turns_of(form: Form) -> list[Turn]:
    """One turn per pane. What the gateway could not be asked is noted on the form, and the list is empty."""
    values = form.values
    if not values["message"]:
        form.add("message", "Write what the person says.")
    settings = _settings(form)
    turns = [_turn(form, pane, settings) for pane in (PANES if values["compare"] else PANES[:1])]
    return turns if form.ok else []


def past(form: Form, pane: str) -> list[dict[str, str]]:
    """What a pane was told and answered before, as the form carries it. It is the sender's own; a broken one is
    empty."""
    try:
        listed = json.loads(form.values.get(f"history_{pane}") or "[]")
    except ValueError:
        return []
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    said = [{"role": str(one.get("role")), "content": str(one.get("content"))} for one in known]
    return [one for one in said if one["role"] in {"user", "assistant"}][-_LONGEST_PAST:]


def _turn(form: Form, pane: str, settings: dict[str, Any]) -> Turn:
    values, before = form.values, past(form, pane)
    for name, what in (("persona", "Choose a persona."), ("model", "Name a model, for example ikiro/sandbox.")):
        if not values[f"{name}_{pane}"]:
            form.add(f"{name}_{pane}", what)
    body = {
        "model": values[f"model_{pane}"],
        "persona_id": values[f"persona_{pane}"],
        **settings,
        "messages": [*before, {"role": "user", "content": values["message"]}],
    }
    return Turn(pane, values["message"], before, body)


def _settings(form: Form) -> dict[str, Any]:
    values = form.values
    chosen: dict[str, Any] = {"subject_id": values["subject_id"]}
    if not values["subject_id"]:
        form.add("subject_id", "Say who is talking: any name of yours for a person, for example usr_123.")
    scopes = [scope.strip() for scope in values["memory_scopes"].split(",") if scope.strip()]
    if scopes:
        chosen["memory_scopes"] = scopes
    if values["redact_mode"]:
        chosen["redact_mode"] = values["redact_mode"]
    for name, kind, what in (("temperature", float, "a number from 0 to 2"), ("max_tokens", int, "a whole number")):
        if values[name]:
            try:
                chosen[name] = kind(values[name])
            except ValueError:
                form.add(name, f"This is {what}, or empty for the model's own.")
    return chosen
