"""The way to the first answer: what is done already, the next call to make, and a box that listens for it.

Nothing is ticked by hand: ``GET /v1/onboarding`` derives every step from what is there.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from console import errors
from console.gateway import ApiError, Call
from console.live import Update, topic, updated
from console.pages import page
from console.rendering import redirect, render
from console.requests import PageRequest

_TEMPLATE = "console/start/page.html"
_STEPS: dict[str, tuple[str, str, str]] = {
    # step: what it is called, where it is done (below /o/<org>/), the verb on its link
    "organization": ("Organization", "", ""),
    "api_key": ("API key", "keys/new", "Create"),
    "persona": ("Persona", "", ""),
    "first_call": ("Make a call", "", ""),
    "proposal": ("Decide a proposal", "", ""),
    "provider": ("Add a real model's key", "providers/new", "Add"),
    "invite": ("Invite a teammate", "members", "Invite"),
}
_QUESTION = "When is my quiz? Please remember that I study best in the morning."


@page()
async def start(request: PageRequest) -> HttpResponse:
    """The checklist. A POST makes the first key and shows it inside the call to paste, this once."""
    if request.method == "POST":
        may = request.permissions.may("keys.create")
        return await _first_key(request) if may else errors.forbidden(request, may.why)
    known = await request.api.get("/v1/onboarding")
    return render(request, _TEMPLATE, _context(request, known.data, "$IKIRO_API_KEY"), live=("first_call",))


@page(action="chat.run", methods=("POST",))
async def run(request: PageRequest) -> HttpResponse:
    """The same call as the person who is signed in, for whoever has no terminal at hand."""
    try:
        await request.api.post("/v1/chat", _body())
    except ApiError as error:
        if error.status in {401, 403}:
            raise
    # Answered or refused, the box shows it; the ledger hears of it within a moment.
    return redirect(request, f"/o/{request.org.slug}/start")


@topic("first_call", every=0.7)
async def listen(request: PageRequest) -> Update:
    known = await request.api.get("/v1/onboarding")
    first = known["first_call"] or {}
    done = "".join("x" if step["done"] else "-" for step in known["steps"])
    fingerprint = f"{done}{first.get('state')}{first.get('request_id')}"
    return updated(request, f"{_TEMPLATE}#listen", _context(request, known.data, ""), fingerprint)


async def _first_key(request: PageRequest) -> HttpResponse:
    made = await request.api.post(
        "/v1/keys", {"name": "first key", "mode": "test"}, idempotency_key=request.POST.get("idempotency_key")
    )
    known = await request.api.get("/v1/onboarding")
    context = {**_context(request, known.data, made["secret"]), "secret": made["secret"]}
    response = render(request, _TEMPLATE, context, live=("first_call",))
    response["Cache-Control"] = "no-store"
    return response


def _context(request: PageRequest, known: dict[str, Any], key: str) -> dict[str, Any]:
    base = settings.IKIRO_API_URL
    call = Call("POST", "/v1/chat", body=_body(), base_url=base)
    first = known["first_call"] or {}
    snippets = [
        ("curl", call.curl().replace("$IKIRO_API_KEY", key) if key else call.curl()),
        ("python", _openai_python(base)),
        ("typescript", _openai_typescript(base)),
    ]
    return {
        "steps": [_step(request, one) for one in known["steps"]],
        "done": sum(one["done"] for one in known["steps"]),
        "first": first,
        "spans": _spans(first),
        "seconds": known["time_to_first_call_s"],
        "signed_up_at": known["signed_up_at"],
        "has_key": any(one["id"] == "api_key" and one["done"] for one in known["steps"]),
        "snippets": snippets,
        "at": time.time(),
    }


def _step(request: PageRequest, one: dict[str, Any]) -> dict[str, Any]:
    label, place, verb = _STEPS.get(one["id"], (one["id"], "", ""))
    url = f"/o/{request.org.slug}/{place}" if place else ""
    return {**one, "label": label, "url": "" if one["done"] else url, "verb": verb}


def _spans(first: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages as bars of a chart 100 wide."""
    stages = first.get("timeline") or []
    whole = sum(stage["ms"] for stage in stages) or 1
    spans, at = [], 0.0
    for stage in stages:
        width = 100 * stage["ms"] / whole
        spans.append({**stage, "x": f"{at:.2f}", "width": f"{max(width, 0.6):.2f}"})
        at += width
    return spans


def _body() -> dict[str, Any]:
    return {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": "usr_123",
        "messages": [{"role": "user", "content": _QUESTION}],
    }


def _openai_python(base: str) -> str:
    return f"""import os
from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key=os.environ["IKIRO_API_KEY"])
answer = client.chat.completions.create(
    model="ikiro/sandbox",
    messages=[{{"role": "user", "content": "{_QUESTION}"}}],
    extra_headers={{"x-persona-id": "brand-default", "x-subject-id": "usr_123"}},
)
print(answer.choices[0].message.content)"""


def _openai_typescript(base: str) -> str:
    return f"""import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base}/v1", apiKey: process.env.IKIRO_API_KEY }});
const answer = await client.chat.completions.create(
  {{ model: "ikiro/sandbox", messages: [{{ role: "user", content: "{_QUESTION}" }}] }},
  {{ headers: {{ "x-persona-id": "brand-default", "x-subject-id": "usr_123" }} }},
);
console.log(answer.choices[0].message.content);"""
