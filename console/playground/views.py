"""The playground: try a persona on a model, next to another one if you like, then take the code away."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.html import escape
from django.utils.safestring import mark_safe

from console import errors, preferences
from console.forms import Form
from console.gateway import Call, GatewayClient
from console.pages import page
from console.playground import turns
from console.playground.runs import Run, runs
from console.rendering import fragment, render
from console.requests import PageRequest

_TEMPLATE = "console/playground/page.html"
_BATCH_S = 0.05
_NAMES = {"a": "A", "b": "B"}
_STARTERS = ("When is my quiz?", "Please remember that I study best in the morning.", "What do you know about me?")


@page(action="chat.run")
async def playground(request: PageRequest) -> HttpResponse:
    """The form and what was said. A POST from htmx answers with panes that stream; a plain one with whole answers."""
    personas, models = await asyncio.gather(
        request.api.get("/v1/personas", limit=100), _silent(request).get("/v1/models")
    )
    form = turns.form_of(
        request,
        persona=next((row["id"] for row in personas.rows if not row["archived_at"]), ""),
        model=_first(models.rows),
        subject="usr_123",
    )
    context = {
        "form": form,
        "personas": [(row["id"], row["id"]) for row in personas.rows if not row["archived_at"]],
        "models": [row["id"] for row in models.rows if not row.get("pattern")],
        "redaction": turns.REDACTION,
        "starters": _STARTERS,
        "panes": [],
    }
    if request.method == "POST":
        return await _asked(request, form, context)
    return render(request, _TEMPLATE, context)


async def _asked(request: PageRequest, form: Form, context: dict[str, Any]) -> HttpResponse:
    asked = turns.turns_of(form)
    if not asked:
        response = render(request, _TEMPLATE, context, status=422, part="form")
        response["HX-Retarget"], response["HX-Reswap"] = "#play", "outerHTML"
        return response
    made = [runs.make(_owner(request), turn) for turn in asked]
    if request.htmx:
        shown = "".join(_pane(request, run) for run in made)
        form.values["message"] = ""
        shown = mark_safe(shown)  # noqa: S308 - our own templates' output
        return HttpResponse(
            fragment(request, f"{_TEMPLATE}#turn", {"question": asked[0].question, "panes_html": shown})
            + fragment(request, f"{_TEMPLATE}#message", {"form": form, "swap": True})
        )
    context["past"] = asked[0].history
    await asyncio.gather(*(run.carry_out_at_once(request.api) for run in made))
    for run in made:
        if run.state == "done":
            form.values[f"history_{run.turn.pane}"] = run.history
            form.values["message"] = ""
    context["panes"] = [_shown(request, run) for run in made]
    context["question"] = asked[0].question
    return render(request, _TEMPLATE, context)


@page(action="chat.run", methods=("GET",))
async def stream(request: PageRequest, run_id: str) -> HttpResponseBase:
    """One run's text as it comes: ``token`` events to be appended, then ``done`` with the finished pane."""
    run = runs.find(_owner(request), run_id)
    if run is None:
        return HttpResponse(status=204)  # tells the browser not to come back
    response = StreamingHttpResponse(_events(request, run), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


@page(action="chat.run", methods=("POST",))
async def stop(request: PageRequest, run_id: str) -> HttpResponse:
    """The pane as it is now, no longer listening; its stream closes with it, and with that the model's work."""
    run = runs.find(_owner(request), run_id)
    if run is None:
        return errors.show(request, errors.not_found_trouble())
    if not run.over:
        run.state = "stopped"
    return HttpResponse(_pane(request, run))


async def _events(request: PageRequest, run: Run) -> AsyncIterator[str]:
    if run.state == "running":
        return  # another window of the same person follows it
    if run.state == "new":
        async with aclosing(run.carry_out(request.api)) as pieces:
            async for batch in _batched(pieces):
                yield _event("token", f"<span>{escape(batch)}</span>")
    yield _event("done", _pane(request, run))


async def _batched(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pieces joined to one batch per 50 ms: a browser paints no faster."""
    waiting, sent = "", 0.0
    async for piece in pieces:
        waiting += piece
        if time.monotonic() - sent >= _BATCH_S:
            yield waiting
            waiting, sent = "", time.monotonic()
    if waiting:
        yield waiting


def _event(name: str, html: str) -> str:
    data = "\n".join(f"data: {line}" for line in html.strip("\n").split("\n"))
    return f"event: {name}\n{data}\n\n"


def _pane(request: PageRequest, run: Run) -> str:
    return fragment(request, f"{_TEMPLATE}#pane", {"pane": _shown(request, run), "swap": run.state == "done"})


def _shown(request: PageRequest, run: Run) -> dict[str, Any]:
    call = Call("POST", "/v1/chat", body=run.turn.body, base_url=settings.IKIRO_API_URL)
    return {
        "run": run,
        "name": _NAMES[run.turn.pane],
        "url": f"/o/{request.org.slug}/playground/r/{run.id}",
        "snippets": call.snippets,
        "lang": preferences.read(request.COOKIES).lang,
    }


def _silent(request: PageRequest) -> GatewayClient:
    return GatewayClient(request, request.org.slug, silent=True)


def _first(models: list[dict[str, Any]]) -> str:
    named = [row["id"] for row in models if not row.get("pattern")]
    return next((name for name in named if not name.startswith("ikiro/")), named[0] if named else "")


def _owner(request: PageRequest) -> str:
    """Whose run it is: this organization's, in this session."""
    return hashlib.sha256(f"{request.org.id} {request.visit.token}".encode()).hexdigest()
