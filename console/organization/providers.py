"""Providers: the organization's own model keys (written, never shown again), test calls, short names for models."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from django.http import HttpResponse

from console import errors
from console.forms import Form
from console.gateway import ApiError
from console.pages import page
from console.rendering import redirect, render
from console.requests import PageRequest

KINDS = (
    ("openai", "OpenAI or compatible", "OpenAI, Ollama, vLLM, Mistral, Groq, DeepSeek, …"),
    ("anthropic", "Anthropic", "The Messages API."),
)
_TEMPLATE = "console/providers/list.html"
# It becomes part of an address: nothing that could lead to another one.
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]*")


@page(action="providers.read")
async def providers(request: PageRequest) -> HttpResponse:
    return render(request, _TEMPLATE, await _context(request))


@page(action="providers.write")
async def new(request: PageRequest) -> HttpResponse:
    """The form. The key goes to the gateway and is not put back into the page, whatever happens."""
    form = Form.of(request, "name", "kind", "base_url", "api_key", name="", kind="openai", base_url="", api_key="")
    if request.method == "POST":
        body = {name: value for name, value in form.values.items() if value}
        try:
            made = await request.api.post("/v1/providers", body)
        except ApiError as error:
            if not _takes(form, error):
                raise
        else:
            return redirect(request, _here(request), toast=f"{made['name']} is there; test it before you use it")
    form.values["api_key"] = ""
    return render(request, "console/providers/new.html", {"form": form, "kinds": KINDS}, status=200 if form.ok else 422)


@page(action="providers.write", methods=("POST",))
async def test(request: PageRequest, provider_id: str) -> HttpResponse:
    """One short real call; what came of it stands in the provider's card."""
    body = {"model": model} if (model := request.POST.get("model", "").strip()) else {}
    found = await request.api.post(f"/v1/providers/{provider_id}/test", body)
    context = {**await _context(request), "trial": {**found.data, "provider_id": provider_id}}
    return render(request, _TEMPLATE, context, part="cards" if request.htmx else None)


@page(action="providers.write")
async def rotate(request: PageRequest, provider_id: str) -> HttpResponse:
    known = await request.api.get(f"/v1/providers/{provider_id}")
    form = Form.of(request, "api_key", api_key="")
    if request.method == "POST":
        try:
            await request.api.post(f"/v1/providers/{provider_id}/rotate", {"api_key": form.values["api_key"]})
        except ApiError as error:
            if not form.takes(error):
                raise
        else:
            return redirect(request, _here(request), toast=f"{known['name']} uses the new key")
    form.values["api_key"] = ""
    context = {"provider": known.data, "form": form}
    return render(request, "console/providers/rotate.html", context, status=200 if form.ok else 422)


@page(action="providers.write", methods=("POST",))
async def switch(request: PageRequest, provider_id: str) -> HttpResponse:
    """Off or on again."""
    state = "active" if request.POST.get("state") == "active" else "disabled"
    changed = await request.api.patch(f"/v1/providers/{provider_id}", {"state": state})
    return redirect(request, _here(request), toast=f"{changed['name']} is {'on' if state == 'active' else 'off'}")


@page(action="providers.write")
async def delete(request: PageRequest, provider_id: str) -> HttpResponse:
    known = await request.api.get(f"/v1/providers/{provider_id}")
    form = Form.of(request, "confirm", confirm="")
    if request.method == "POST":
        if form.values["confirm"] == known["name"]:
            await request.api.delete(f"/v1/providers/{provider_id}")
            return redirect(request, _here(request), toast=f"{known['name']} and its key are deleted")
        form.add("confirm", "This is not the provider's name. Nothing was deleted.")
    context = {"provider": known.data, "form": form}
    return render(request, "console/providers/delete.html", context, status=200 if form.ok else 422)


@page(action="providers.write", methods=("POST",))
async def set_alias(request: PageRequest) -> HttpResponse:
    form = Form.of(request, "alias", "model", prefix="alias")
    if not form.values["alias"]:
        form.add("alias", "Give it a name, for example fast.")
    elif not _ALIAS.fullmatch(form.values["alias"]):
        form.add("alias", "Begin with a letter or a digit; letters, digits and . _ : @ + - may follow.")
    else:
        try:
            await request.api.put(f"/v1/models/aliases/{form.values['alias']}", {"model": form.values["model"]})
        except ApiError as error:
            if not _takes(form, error):
                raise
    if form.ok:
        return redirect(request, _here(request), toast=f"{form.values['alias']} is set")
    return render(request, _TEMPLATE, {**await _context(request), "alias_form": form}, status=422)


@page(action="providers.write", methods=("POST",))
async def remove_alias(request: PageRequest) -> HttpResponse:
    alias = request.POST.get("alias", "")
    if not _ALIAS.fullmatch(alias):
        return errors.show(request, errors.not_found_trouble())
    await request.api.delete(f"/v1/models/aliases/{alias}")
    return redirect(request, _here(request), toast=f"{alias} is removed")


async def _context(request: PageRequest) -> dict[str, Any]:
    found, aliases, models = await asyncio.gather(
        request.api.get("/v1/providers", limit=50),
        request.api.get("/v1/models/aliases"),
        request.api.get("/v1/models"),
    )
    return {
        "providers": found.rows,
        "aliases": aliases.rows,
        "models": [one["id"] for one in models.rows if not one.get("alias_of")],
        "alias_form": Form({"alias": "", "model": ""}, prefix="alias"),
    }


def _takes(form: Form, error: ApiError) -> bool:
    """Refusals of an address (egress) and of names belong into the form too, with their reason."""
    if form.takes(error):
        return True
    if error.code == "egress_refused":
        form.add("base_url", error.detail)
        return True
    if error.code in {"model_not_found", "no_such_model"}:
        form.add("model", error.detail)
        return True
    return False


def _here(request: PageRequest) -> str:
    return f"/o/{request.org.slug}/providers"
