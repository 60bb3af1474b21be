"""Single sign-on: what the identity provider must know, the connection, domains, a test, enforcing, switching off."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse

from console.forms import Form
from console.gateway import ApiError
from console.live import Update, topic, updated
from console.organization import sso_form
from console.pages import page
from console.rendering import redirect, render
from console.requests import PageRequest

_TEMPLATE = "console/sso/page.html"
_NOT_YET = {
    # what stands between here and enforcing: key of the context, what to do about it
    "tested": "Test the configuration as it is now first.",
    "domain": "Prove a domain first: nobody could sign in.",
}


@page(action="sso.manage")
async def sso(request: PageRequest) -> HttpResponse:
    """The whole of it; a POST sets the connection up. The secret goes to the gateway and is not put back."""
    known = (await request.api.get("/v1/sso")).data
    form = sso_form.form_of(request, known["connection"])
    if request.method == "POST":
        body = sso_form.body_of(form)
        if form.ok:
            try:
                await request.api.put("/v1/sso", body)
            except ApiError as error:
                if error.code == "plan_required":
                    return _upgrade(request, known, form)
                if not sso_form.takes(form, error):
                    raise
            else:
                return redirect(request, _here(request), toast="The configuration is saved; test it now")
        known = (await request.api.get("/v1/sso")).data
    return _page(request, known, form)


@page(action="sso.manage", methods=("POST",))
async def test(request: PageRequest) -> HttpResponse:
    """In a tab of its own on to the identity provider. Not by a redirect: a browser would hold it against
    ``form-action``."""
    try:
        begun = await request.api.post("/v1/sso/test")
    except ApiError as error:
        return await _refused(request, error)
    return render(request, "console/sso/go.html", {"url": begun["test_url"]})


@page(action="sso.manage", methods=("POST",))
async def add_domain(request: PageRequest) -> HttpResponse:
    """Claims a domain; it counts when its record is found."""
    form = Form.of(request, "domain", prefix="new")
    if not form.values["domain"]:
        form.add("domain", "Name a domain, for example acme.example.")
        return await _with_domains(request, domain_form=form)
    try:
        made = await request.api.post("/v1/sso/domains", {"domain": form.values["domain"]})
    except ApiError as error:
        if error.code == "plan_required" or not form.takes(error):
            return await _refused(request, error)
        return await _with_domains(request, domain_form=form)
    return redirect(request, f"{_here(request)}#domains", toast=f"Now set the TXT record of {made['domain']}")


@page(action="sso.manage", methods=("POST",))
async def verify_domain(request: PageRequest, domain_id: str) -> HttpResponse:
    """Looks for the record; what was found instead stands at the domain."""
    try:
        found = await request.api.post(f"/v1/sso/domains/{domain_id}/verify")
    except ApiError as error:
        if error.status in {409, 503}:
            trouble = {"id": domain_id, "error": error, "found": error.extra.get("found") or []}
            return await _with_domains(request, lookup=trouble, status=422 if error.status == 409 else 503)
        return await _refused(request, error)
    return redirect(request, f"{_here(request)}#domains", toast=f"{found['domain']} is yours")


@page(action="sso.manage", methods=("POST",))
async def remove_domain(request: PageRequest, domain_id: str) -> HttpResponse:
    try:
        await request.api.delete(f"/v1/sso/domains/{domain_id}")
    except ApiError as error:
        return await _refused(request, error)
    return redirect(request, f"{_here(request)}#domains", toast="The domain is given up")


@page(action="sso.manage")
async def enforce(request: PageRequest) -> HttpResponse:
    """What enforcing does, and who keeps a password for the day the identity provider fails."""
    form = Form.of(request, "break_glass_user_id", "require_mfa", break_glass_user_id="", require_mfa="1")
    if request.method == "POST":
        body = {
            "break_glass_user_id": form.values["break_glass_user_id"],
            "require_mfa": form.values["require_mfa"] == "1",
        }
        try:
            await request.api.post("/v1/sso/enforce", body)
        except ApiError as error:
            if error.code == "break_glass_invalid":
                form.add("break_glass_user_id", error.detail)
            elif error.status not in {409, 422} or not form.takes(error):
                return await _refused(request, error)
        else:
            return redirect(request, _here(request), toast="Members now come in by single sign-on alone")
    known = (await request.api.get("/v1/sso")).data
    members = (await request.api.get("/v1/members", limit=200)).rows
    owners = [one for one in members if one["role"] == "owner"]
    if not form.values["break_glass_user_id"] and owners:
        mine = next((one for one in owners if one["user_id"] == request.user.get("id")), owners[0])
        form.values["break_glass_user_id"] = mine["user_id"]
    context = {
        "sso": known,
        "form": form,
        "owners": [(one["user_id"], one["email"], _factor(one)) for one in owners],
        "others": max(len(members) - 1, 0),
        "needs": _needs(known),
    }
    return render(request, "console/sso/enforce.html", context, status=200 if form.ok else 422)


@page(action="sso.manage")
async def disable(request: PageRequest) -> HttpResponse:
    """Asks first; then passwords count again."""
    if request.method == "POST":
        try:
            await request.api.post("/v1/sso/disable")
        except ApiError as error:
            return await _refused(request, error)
        return redirect(request, _here(request), toast="Single sign-on is off; passwords count again")
    known = (await request.api.get("/v1/sso")).data
    return render(request, "console/sso/disable.html", {"sso": known})


@topic("sso", action="sso.manage", every=2.0)
async def listen(request: PageRequest) -> Update:
    """The test's result arrives in another tab; this one shows it too."""
    known = (await request.api.get("/v1/sso")).data
    connection, verified = known["connection"] or {}, [one["id"] for one in known["domains"] if one["verified_at"]]
    told = f"{connection.get('updated_at')}{connection.get('state')}{connection.get('last_test')}{verified}"
    fingerprint = hashlib.sha256(told.encode()).hexdigest()[:12]
    return updated(request, f"{_TEMPLATE}#test", {**_context(request, known), "swap": True}, fingerprint)


async def _with_domains(
    request: PageRequest, *, domain_form: Form | None = None, lookup: Any = None, status: int = 422
) -> HttpResponse:
    known = (await request.api.get("/v1/sso")).data
    return _page(
        request, known, sso_form.stored(known["connection"]), domain_form=domain_form, lookup=lookup, status=status
    )


async def _refused(request: PageRequest, error: ApiError) -> HttpResponse:
    """A refusal that belongs to no field: above the page as it is, with its words and its number."""
    if error.status not in {403, 404, 409, 422} or error.code == "sso_required":
        raise error
    known = (await request.api.get("/v1/sso")).data
    if error.code == "plan_required":
        return _upgrade(request, known, sso_form.stored(known["connection"]))
    return _page(
        request,
        known,
        sso_form.stored(known["connection"]),
        refusal=error,
        status=422 if error.status == 409 else error.status,
    )


def _upgrade(request: PageRequest, known: dict[str, Any], form: Form) -> HttpResponse:
    """The plan is too small: the page with the card that says so, even when it was read a moment before the change."""
    needs = known["plan"]["needs"] or "business"
    return _page(request, {**known, "plan": {"included": False, "needs": needs}}, form, status=403)


def _page(request: PageRequest, known: dict[str, Any], form: Form, **more: Any) -> HttpResponse:
    given = more.pop("status", None)
    form.values["client_secret"] = ""
    context = {**_context(request, known), "form": form, **{name: value for name, value in more.items() if value}}
    context.setdefault("domain_form", Form({"domain": ""}, prefix="new"))
    chosen = form.values["kind"]
    context["kinds"] = [(label, f"?kind={kind}#connection", kind == chosen) for kind, label in sso_form.KINDS.items()]
    live = ("sso",) if known["connection"] else ()
    return render(request, _TEMPLATE, context, status=given or (200 if form.ok else 422), live=live)


def _context(request: PageRequest, known: dict[str, Any]) -> dict[str, Any]:
    return {
        "sso": known,
        "connection": known["connection"],
        "last": (known["connection"] or {}).get("last_test"),
        "locked": (known["connection"] or {}).get("state") == "enforced",
        "upgrade": "" if known["plan"]["included"] else f"Part of the {known['plan']['needs']} plan.",
        "needs": _needs(known),
        "roles": sso_form.ROLES,
        "tested": request.GET.get("tested", ""),
    }


def _needs(known: dict[str, Any]) -> list[str]:
    """What is missing before it may be enforced."""
    last = (known["connection"] or {}).get("last_test") or {}
    there = {
        "tested": last.get("ok") and last.get("current") and known["connection"]["state"] != "disabled",
        "domain": any(one["state"] == "verified" for one in known["domains"]),
    }
    return [text for name, text in _NOT_YET.items() if not there[name]]


def _factor(member: dict[str, Any]) -> str:
    return "Has a second factor." if member["mfa"] else "Has no second factor."


def _here(request: PageRequest) -> str:
    return f"/o/{request.org.slug}/sso"
