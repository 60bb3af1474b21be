"""API keys: list, create, change, ask what one could call, rotate with a grace period, revoke and see it obeyed."""

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
    """The form; after it the secret, this once. It can first be asked what the key could call."""
    form = key_form.form_of(request)
    could: dict[str, Any] | None = None
    if request.method == "POST":
        body = key_form.body_of(form)
        if form.ok and request.POST.get("do") == "preview":
            could = await _could_call(request, form, "/v1/keys/preview", body)
        elif form.ok:
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
        "could": could,
        "presets": key_form.PRESETS,
        **key_form.choices(form),
    }
    return render(request, "console/keys/new.html", context, status=200 if form.ok else 422)


@page(action="keys.list")
async def key(request: PageRequest, key_id: str) -> HttpResponse:
    """One key: what it may do, who answers for it, who still uses its old secret, who obeys its end."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    context: dict[str, Any] = {"key": found.data, "extensions": key_form.EXTENSIONS, "form": Form({"grace": "86400"})}
    if found["state"] == "rotating":
        context["uses"] = (await request.api.get(f"/v1/keys/{key_id}/old-secret-uses")).data
    if found["state"] == "revoked":
        context["proof"] = (await request.api.get(f"/v1/keys/{key_id}/revocation")).data
    return render(request, "console/keys/key.html", context)


@page(action="keys.rotate")
async def edit(request: PageRequest, key_id: str) -> HttpResponse:
    """The same form as for a new key, filled in; what is not changed is not sent."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    form = key_form.form_of(request, found.data)
    if request.method == "POST":
        changes = key_form.change_of(form, found.data)
        if form.ok:
            try:
                if changes:
                    await request.api.patch(f"/v1/keys/{key_id}", changes)
            except ApiError as error:
                if not form.takes(error) and not _is_too_wide(form, error):
                    raise
            else:
                return redirect(request, f"/o/{request.org.slug}/keys/{key_id}", toast="Saved")
    allowed = await request.api.get("/v1/me/permissions")
    context = {
        "key": found.data,
        "form": form,
        "expiries": (key_form.KEEP, *key_form.EXPIRIES),
        "scopes": key_form.scope_options(sorted({*allowed["scopes"], *(found["scopes"] or ())})),
        **key_form.choices(form),
    }
    return render(request, "console/keys/edit.html", context, status=200 if form.ok else 422)


@page(action="keys.list")
async def preview(request: PageRequest, key_id: str) -> HttpResponse:
    """What the key could call, as it is now."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    could = (await request.api.post(f"/v1/keys/{key_id}/preview")).data
    return render(request, "console/keys/preview.html", {"key": found.data, "could": could})


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


@page(action="keys.rotate", methods=("POST",))
async def extend_grace(request: PageRequest, key_id: str) -> HttpResponse:
    """Let the old secret work longer, never shorter."""
    grace = request.POST.get("grace", "86400")
    if grace in dict(key_form.EXTENSIONS):
        await request.api.post(f"/v1/keys/{key_id}/extend-grace", {"grace_s": int(grace)})
    return redirect(request, f"/o/{request.org.slug}/keys/{key_id}", toast="The old secret works longer")


@page(action="keys.rotate", methods=("POST",))
async def revoke_tokens(request: PageRequest, key_id: str) -> HttpResponse:
    """End every capability token that the key has made so far."""
    await request.api.post(f"/v1/keys/{key_id}/revoke-tokens")
    return redirect(request, f"/o/{request.org.slug}/keys/{key_id}", toast="Its tokens work no longer")


@page(action="keys.revoke")
async def revoke(request: PageRequest, key_id: str) -> HttpResponse:
    """Cannot be undone, so the key's name must be typed; compared here, not in the browser."""
    found = await request.api.get(f"/v1/keys/{key_id}")
    form = Form.of(request, "confirm", confirm="")
    if request.method == "POST":
        if form.values["confirm"] == found["name"]:
            await request.api.delete(f"/v1/keys/{key_id}")
            return redirect(request, f"/o/{request.org.slug}/keys/{key_id}", toast=f"{found['name']} is revoked")
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


async def _could_call(request: PageRequest, form: Form, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    try:
        could: dict[str, Any] = (await request.api.post(path, body)).data
    except ApiError as error:
        if not form.takes(error):
            raise
        return None
    return could


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
