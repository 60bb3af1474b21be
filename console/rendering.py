"""From a template to an answer: the whole page, or for htmx the one part that will be replaced.

A part is a ``{% partialdef list inline %}`` named like the id of the element it fills: a request with ``HX-Target:
list`` gets ``page.html#list``. ``row-key_1`` finds the part ``row``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse, HttpResponseRedirect
from django.template.loader import get_template, render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from console import preferences, shell
from console.flash import Toast, flash


def render(
    request: Any,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    part: str | None = None,
    toast: str | Toast | None = None,
    live: tuple[str, ...] = (),
    badges: dict[str, int] | None = None,
) -> HttpResponse:
    """The page. ``part`` names the partial when the target's id does not; ``toast`` is said with a fragment (for a
    redirect use ``redirect``); ``live`` are the topics the page listens to (``console/live.py``)."""
    name = _part(request, template, part)
    if name is None:
        values = {**(context or {}), "shell": shell.build(request, live=live, badges=badges)}
        text: str = render_to_string(template, values, request=request)
    else:
        text = fragment(request, f"{template}#{name}", context)
        if toast:
            shown = toast if isinstance(toast, Toast) else Toast(toast)
            text += render_to_string("console/kit/toast_oob.html", {"toast": shown})
    response = HttpResponse(text.lstrip(), status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


def fragment(request: Any, template: str, context: dict[str, Any] | None = None) -> str:
    """``page.html#part`` as text, for live topics and for views that put several together."""
    values = {**(context or {}), "shell": shell.Shell(preferences.read(request.COOKIES))}
    return render_to_string(template, values, request=request)


def redirect(request: Any, url: str, *, toast: str | None = None, level: str = "ok") -> HttpResponse:
    """On to another page after a form: 303, for htmx by a header. ``toast`` is said there."""
    if toast:
        flash(request, toast, level)
    if getattr(request, "htmx", False):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


def safe_next(request: Any, default: str = "/") -> str:
    """The ``next`` of this request when it leads to a page of ours, else ``default``."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=False)
    return wanted if ours and wanted.startswith("/") and not urlsplit(wanted).netloc else default


def _part(request: Any, template: str, part: str | None) -> str | None:
    """The partial to send, None for the whole page. A fragment asked for by its own URL in a window is a page."""
    htmx = getattr(request, "htmx", None)
    if not htmx or htmx.history_restore_request:
        return None
    if part:
        return part
    known = get_template(template).template.extra_data.get("partials", {})  # type: ignore[attr-defined]
    target = htmx.target or ""
    return next((name for name in (target, target.partition("-")[0]) if name in known), None)
