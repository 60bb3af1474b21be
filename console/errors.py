"""What went wrong, on a page or in the place of the part that failed: what, why, what next, and the request's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.http import HttpRequest, HttpResponse

from console import shell
from console.gateway import ApiError, GatewayDown, tokens
from console.rendering import redirect, render

_ENDED = frozenset({"session_invalid", "key_missing", "token_expired", "token_invalid", "token_malformed"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing said to a person. ``again`` offers to try the same once more."""

    status: int
    title: str
    why: str
    code: str = ""
    request_id: str = ""
    again: bool = False
    link: str = ""
    link_text: str = ""
    wait_s: float | None = None


def show(request: Any, trouble: Trouble) -> HttpResponse:
    """The trouble as a page, or as a panel in the place of the part that htmx asked for."""
    values = {"trouble": trouble, "frame": shell.build(request).base_template}
    part = "panel" if getattr(request, "htmx", False) else None
    response = render(request, "console/error.html", values, status=trouble.status, part=part)
    if trouble.wait_s is not None:
        response["Retry-After"] = str(max(1, round(trouble.wait_s)))
    return response


def refused(request: Any, error: ApiError) -> HttpResponse:
    """The gateway's own words. An ended session leads to sign-in."""
    if error.status == 401:
        return signed_out(request)
    if error.status == 404:
        return show(request, not_found_trouble(error.request_id))
    if error.code == "org_not_ready" and request.path.startswith("/o/"):
        return redirect(request, f"/organizations/{request.path.split('/')[2]}?next={quote(here(request))}")
    link, text = "", ""
    if error.code == "sso_required" and error.extra.get("sso_url"):
        link, text = f"/login/sso?next={quote(here(request))}", "Sign in with single sign-on"
    trouble = Trouble(
        status=error.status,
        title=error.title,
        why=error.detail,
        code=error.code,
        request_id=error.request_id,
        again=error.status == 429 or error.status >= 500,
        link=link,
        link_text=text,
        wait_s=error.retry_after,
    )
    return show(request, trouble)


def of(error: BaseException) -> Trouble:
    """The trouble of one card whose call failed while the page around it stands."""
    if isinstance(error, ApiError):
        again = error.status == 429 or error.status >= 500
        return Trouble(error.status, error.title, error.detail, error.code, error.request_id, again)
    if isinstance(error, GatewayDown):
        return Trouble(503, "The gateway cannot be reached", f"{error.url}: {error.reason}.", again=True)
    raise error


def gateway_down(request: Any, error: GatewayDown) -> HttpResponse:
    why = (
        f"This console asked {error.url}, but {error.reason}. Nothing was changed. "
        "Check that the gateway runs and that IKIRO_GATEWAY_URL names it."
    )
    return show(request, Trouble(503, "The gateway cannot be reached", why, "gateway_down", again=True, wait_s=5))


def signed_out(request: Any) -> HttpResponse:
    """To the sign-in page and back here afterwards. A sign-in that is under way in another tab stays so."""
    if request.visit.signed_in:
        if request.visit.token:
            tokens.forget(request.visit.token)
        request.visit.sign_out()
    return redirect(request, f"/login?next={quote(here(request))}")


def here(request: Any) -> str:
    """The address to come back to: the page's own, also when only a part of it was asked for."""
    htmx = getattr(request, "htmx", None)
    if htmx and htmx.current_url:
        url = urlsplit(htmx.current_url)
        return str(url.path + (f"?{url.query}" if url.query else ""))
    return str(request.get_full_path() if request.method in {"GET", "HEAD"} else request.path)


def not_found_trouble(request_id: str = "") -> Trouble:
    why = "There is nothing here, or not for this account. The address may be mistyped or what it named may be gone."
    return Trouble(404, "Not found", why, request_id=request_id, link="/", link_text="Go to the start")


def forbidden(request: Any, why: str) -> HttpResponse:
    return show(request, Trouble(403, "Not for your role", why, "forbidden", link="/", link_text="Go to the start"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return show(request, not_found_trouble())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400. Says nothing of the request: it may be forged throughout."""
    return HttpResponse("Bad request\n", status=400, content_type="text/plain; charset=utf-8")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    why = "This is our fault and it is logged. Quote the request id if it persists."
    return show(request, Trouble(500, "Something broke", why, "console_crashed", again=True))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: an old page, blocked cookies, or another site."""
    why = (
        "The form came without the proof that this page sent it, so nothing was done. "
        "Reload the page and try again; cookies must be allowed for this address."
    )
    return show(
        request, Trouble(403, "This form is too old", why, "csrf_failed", link=here(request), link_text="Reload")
    )
