"""Making an organization and watching it being built."""

from __future__ import annotations

from django.http import HttpResponse

from console.forms import Form
from console.gateway import ApiError
from console.pages import account_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_STEPS = {
    "schema": "A database schema of its own",
    "flags": "Features of its plan",
    "default_persona": "A first persona",
}


@account_page
async def new(request: PageRequest) -> HttpResponse:
    """Name it; the rest is made by a worker."""
    form = Form.of(request, "name", "slug", name=request.GET.get("name", ""), slug="")
    if request.method == "POST":
        body = {name: value for name, value in form.values.items() if value}
        if not form.values["name"]:
            form.add("name", "Give it a name.")
        else:
            key = request.POST.get("idempotency_key")
            try:
                made = await request.api.post("/v1/organizations", body, idempotency_key=key)
            except ApiError as error:
                if error.code in {"slug_taken", "slug_reserved"}:
                    form.add("slug", error.detail)
                elif not form.takes(error):
                    raise
            else:
                return redirect(request, f"/organizations/{made['slug']}?next=/o/{made['slug']}/start")
    return render(request, "console/organizations/new.html", {"form": form}, status=200 if form.ok else 422)


@account_page
async def progress(request: PageRequest, slug: str) -> HttpResponse:
    """How far it is. Moves on by itself once it is ready."""
    found = await request.api.get(f"/v1/organizations/{slug}")
    target = safe_next(request, f"/o/{slug}/start")
    if found["state"] == "ready":
        return redirect(request, target)
    steps = [{**step, "label": _STEPS.get(step["name"], step["name"].replace("_", " "))} for step in found["steps"]]
    context = {"made": found.data, "steps": steps, "next": target}
    return render(request, "console/organizations/progress.html", context)


@account_page
async def retry(request: PageRequest, slug: str) -> HttpResponse:
    if request.method == "POST":
        await request.api.post(f"/v1/organizations/{slug}/retry")
    return redirect(request, f"/organizations/{slug}")
