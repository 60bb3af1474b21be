"""Making an account."""

from __future__ import annotations

import time

from django.http import HttpResponse

from console.auth.answers import refused
from console.auth.domains import organization_name
from console.auth.steps import NEW_ORGANIZATION, go_on, with_next
from console.forms import Form
from console.pages import public_page
from console.rendering import redirect, render, safe_next
from console.requests import PageRequest

_TEMPLATE = "console/auth/sign_up.html"
_LONGEST = 60


@public_page
async def sign_up(request: PageRequest) -> HttpResponse:
    """E-mail and password. A taken address gets the very same page as a new one; its owner gets a mail."""
    next_url = safe_next(request)
    if request.visit.signed_in:
        return redirect(request, next_url)
    form = Form.of(request, "email", "password", "organization", email=request.GET.get("email", "").strip())
    # Somebody who comes for something has an organization to go to.
    context = {"form": form, "next": next_url, "asks_organization": next_url == "/"}
    if request.method != "POST":
        form.values["organization"] = organization_name(form["email"].value)
        return render(request, _TEMPLATE, context)
    request.visit.token = None  # a new sign-up, whatever was begun here before
    email, wanted = form.values["email"], form.values["organization"][:_LONGEST]
    answer = await request.accounts.post("auth/signup", {"email": email, "password": form.values["password"]})
    if not answer.ok and answer.pending is None:
        form.values["organization"] = wanted or organization_name(email)
        return refused(request, _TEMPLATE, answer, form, context)
    request.visit.meta.update(email=email, sent_at=int(time.time()))
    if wanted and context["asks_organization"]:
        request.visit.meta[NEW_ORGANIZATION] = wanted
    return await go_on(request, answer, next_url)


@public_page
async def suggest_organization(request: PageRequest) -> HttpResponse:
    """The field for the organization, filled in from the address, unless something stands there already."""
    email, present = request.GET.get("email", ""), request.GET.get("organization", "").strip()
    suggested = organization_name(email)
    if present or not suggested:
        return HttpResponse(status=204) if request.htmx else redirect(request, with_next("/signup", "/", email=email))
    form = Form({"email": email, "password": "", "organization": suggested})
    return render(request, _TEMPLATE, {"form": form, "next": "/", "asks_organization": True}, part="organization")
