"""Who belongs to the organization: roles, invitations by link, leaving and hand-over of keys."""

from __future__ import annotations

import asyncio
from typing import Any

from django.http import HttpResponse

from console import errors
from console.forms import Form
from console.gateway import ApiError, Result
from console.pages import page
from console.rendering import redirect, render
from console.requests import PageRequest

ROLES = (
    ("owner", "Owner", "Everything, and the organization itself."),
    ("admin", "Admin", "Everything but ownership."),
    ("developer", "Developer", "Builds: personas, memory, playground, own keys."),
    ("reviewer", "Reviewer", "Decides proposals."),
    ("billing", "Billing", "Plan and costs."),
    ("viewer", "Viewer", "Looks on."),
)
_TEMPLATE = "console/members/list.html"


@page(action="members.list")
async def members(request: PageRequest) -> HttpResponse:
    """The members, the open invitations and, for whoever may, the form to ask more people in."""
    return render(request, _TEMPLATE, await _context(request, _new_invitation(request)))


@page(action="members.invite", methods=("POST",))
async def invite(request: PageRequest) -> HttpResponse:
    """Invites; the answer shows each link this once, for whoever hands it over in person."""
    form = _new_invitation(request)
    emails = [part.strip() for part in form.values["emails"].replace(",", "\n").split("\n") if part.strip()]
    made: Result | None = None
    if not emails:
        form.add("emails", "Write at least one address.")
    else:
        try:
            made = await request.api.post("/v1/invitations", {"emails": emails, "role": form.values["role"]})
        except ApiError as error:
            if not form.takes(error):
                raise
    if made is not None:
        form = Form({"emails": "", "role": form.values["role"]})
    context = {**await _context(request, form), "made": made.rows if made else []}
    response = render(
        request, _TEMPLATE, context, status=200 if form.ok else 422, part="page" if request.htmx else None
    )
    response["Cache-Control"] = "no-store"
    return response


@page(action="members.invite", methods=("POST",))
async def take_back(request: PageRequest, invitation_id: str) -> HttpResponse:
    gone = await request.api.delete(f"/v1/invitations/{invitation_id}")
    return redirect(request, _here(request), toast=f"The invitation of {gone['email']} is taken back")


@page(action="members.change", methods=("POST",))
async def change(request: PageRequest, user_id: str) -> HttpResponse:
    """Another role, at once and on every worker within a second."""
    role = request.POST.get("role", "")
    try:
        changed = await request.api.patch(f"/v1/members/{user_id}", {"role": role})
    except ApiError as error:
        if error.status not in {403, 409, 422}:
            raise
        return redirect(request, _here(request), toast=error.detail or error.title, level="warn")
    return redirect(request, _here(request), toast=f"{changed['email']} is now {changed['role']}")


@page()
async def remove(request: PageRequest, user_id: str) -> HttpResponse:
    """What removing (or leaving) does to the keys, then doing it."""
    listed = (await request.api.get("/v1/members", limit=200)).rows
    target = next((one for one in listed if one["user_id"] == user_id), None)
    if target is None:
        return redirect(request, _here(request), toast="This person is not a member any more", level="warn")
    leaving = target["user_id"] == request.user.get("id")
    if not leaving and not (may := request.permissions.may("members.remove")):
        return errors.forbidden(request, may.why)
    form = Form.of(request, "hand_over_to", hand_over_to="")
    if request.method == "POST":
        try:
            gone = await request.api.delete(f"/v1/members/{user_id}", hand_over_to=form.values["hand_over_to"])
        except ApiError as error:
            if error.status != 403 and not form.takes(error):
                raise
            if form.ok:
                form.add(None, error.detail or error.title)
        else:
            keys = gone["keys_handed_over"]
            moved = f"; {keys} key{'' if keys == 1 else 's'} handed over" if keys else ""
            url = "/" if leaving else _here(request)
            return redirect(request, url, toast=f"{target['email']} left{moved}")
    heirs = [("", "you" if not leaving else "an owner")] + [
        (one["user_id"], one["email"]) for one in listed if one["user_id"] != user_id
    ]
    context = {"member": target, "leaving": leaving, "form": form, "heirs": heirs}
    return render(request, "console/members/remove.html", context, status=200 if form.ok else 422)


def _new_invitation(request: PageRequest) -> Form:
    return Form.of(request, "emails", "role", emails="", role="developer")


async def _context(request: PageRequest, form: Form) -> dict[str, Any]:
    found, invited = await asyncio.gather(
        request.api.get("/v1/members", limit=100, cursor=request.GET.get("cursor")),
        request.api.get("/v1/invitations", limit=50),
    )
    # An admin can neither make an owner nor touch one; the gateway holds it, the page does not offer it.
    offered = ROLES if request.org.role == "owner" else ROLES[1:]
    return {
        "members": found,
        "invitations": [one for one in invited.rows if one["state"] == "pending"],
        "form": form,
        "roles": offered,
        "role_options": [(value, label) for value, label, _ in offered],
        "may_touch_owners": request.org.role == "owner",
        "me": request.user.get("id"),
    }


def _here(request: PageRequest) -> str:
    return f"/o/{request.org.slug}/members"
