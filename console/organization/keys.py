"""API keys: list, create, show the secret once, rotate with a grace period, revoke."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse

from console.forms import Form
from console.gateway import ApiError, Call
from console.organization import key_form
from console.pages import page
from console.rendering import redirect, render
from console.requests import PageRequest

_STATES = (("", "all"), ("active", "active"), ("rotating", "rotating"), ("expired", "expired"), ("revoked", "revoked"))


@page(action="keys.list")
async def keys(request: PageRequest) -> HttpResponse:
    """The list; its filters are in the address."""
    chosen = {name: request.GET.get(name, "") for name in ("q", "state", "cursor")}
    found = await request.api.get("/v1/keys", limit=50, **chosen)
    context = {
        "keys": found,
        "form": Form(chosen),
        "states": _STATES,
        "filtered": bool(chosen["q"] or chosen["state"]),
        "snippets": _first_call(request),
    }
    return render(request, "console/keys/list.html", context)


@page(action="keys.create")
async def new(request: PageRequest) -> HttpResponse:
    """The form; after it the secret, this once."""
    form = key_form.form_of(request)
    if request.method == "POST":
        body = key_form.body_of(form)
        if form.ok:
            try:
                made = await request.api.post("/v1/keys", body, idempotency_key=request.POST.get("idempotency_key"))
            except ApiError as error:
                if not form.takes(error) and not _is_too_wide(form, error):
                    raise
            else:
                return _reveal(request, made.data, title=f"Copy the secret of {made['name']}")
    allowed = await request.api.get("/v1/me/permissions")
    context = {
        "form": form,
        "modes": key_form.MODES,
        "expiries": key_form.EXPIRIES,
        "scopes": key_form.scope_options(allowed["scopes"]),
        "presets": key_form.PRESETS,
    }
    return render(request, "console/keys/new.html", context, status=200 if form.ok else 422)


@page(action="keys.list")
async def key(request: PageRequest, key_id: str) -> HttpResponse:
    """One key: what it may do, who answers for it, and what can be done with it."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    return render(request, "console/keys/key.html", {"key": found.data})


@page(action="keys.rotate")
async def rotate(request: PageRequest, key_id: str) -> HttpResponse:
    """How long the old secret shall work on; after it the new secret, this once."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    form = Form.of(request, "grace", "force", grace="86400", force="")
    if request.method == "POST" and form.values["grace"] in {value for value, *_ in key_form.GRACES}:
        body = {"grace_s": int(form.values["grace"]), "force": form.values["force"] == "1"}
        try:
            made = await request.api.post(f"/v1/keys/{key_id}/rotate", body)
        except ApiError as error:
            if not form.takes(error):
                raise
        else:
            return _reveal(request, made.data, title=f"Copy the new secret of {made['name']}")
    context = {"key": found.data, "form": form, "graces": key_form.GRACES, "running": found["state"] == "rotating"}
    return render(request, "console/keys/rotate.html", context, status=200 if form.ok else 422)


@page(action="keys.rotate", methods=("POST",))
async def end_grace(request: PageRequest, key_id: str) -> HttpResponse:
    await request.api.post(f"/v1/keys/{key_id}/end-grace")
    return redirect(request, f"/o/{request.org.slug}/keys/{key_id}", toast="The old secret works no longer")


@page(action="keys.revoke")
async def revoke(request: PageRequest, key_id: str) -> HttpResponse:
    """Cannot be undone, so the key's name must be typed; compared here, not in the browser."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    form = Form.of(request, "confirm", confirm="")
    if request.method == "POST":
        if form.values["confirm"] == found["name"]:
            await request.api.delete(f"/v1/keys/{key_id}")
            return redirect(request, f"/o/{request.org.slug}/keys", toast=f"{found['name']} is revoked")
        form.add("confirm", "This is not the key's name. Nothing was revoked.")
    return render(
        request, "console/keys/revoke.html", {"key": found.data, "form": form}, status=200 if form.ok else 422
    )


def _reveal(request: PageRequest, made: dict[str, Any], *, title: str) -> HttpResponse:
    """The secret in the answer of the POST and nowhere else; a reload asks for nothing it could show."""
    base = settings.IKIRO_API_URL
    context = {
        "key": made,
        "title": title,
        "env": "IKIRO_API_KEY",
        "curl": f"curl -s {base}/v1/me -H 'Authorization: Bearer {made['secret']}'",
        "done": f"/o/{request.org.slug}/keys/{made['id']}",
    }
    response = render(request, "console/keys/reveal.html", context, part="page" if request.htmx else None)
    response["Cache-Control"] = "no-store"
    return response


def _is_too_wide(form: Form, error: ApiError) -> bool:
    """A key may do no more than whoever makes it: said in the form, at the scopes."""
    if error.code != "key_too_wide":
        return False
    form.add(str(error.extra.get("field") or "scopes"), error.detail)
    return True


def _first_call(request: PageRequest) -> list[tuple[str, str]]:
    body = {
        "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "usr_123",
        "messages": [{"role": "user", "content": "Hello!"}],
    }  # fmt: skip
    return Call("POST", "/v1/chat", body=body, base_url=settings.IKIRO_API_URL).snippets
