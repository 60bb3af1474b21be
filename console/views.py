"""The console's pages: what anyone may know. An organization's data comes over the API with the person's own token."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string

from console.assets import Asset, load
from console.security import secured

_READING = ("GET", "HEAD")
_assets: dict[str, Asset] = load([Path(directory) for directory in settings.STATICFILES_DIRS])


async def home(request: HttpRequest) -> HttpResponse:
    """What runs at this address and how to make the first call."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    base_url = f"{request.scheme}://{request.get_host()}"
    response = HttpResponse(render_to_string("console/home.html", {"base_url": base_url}))
    response["Cache-Control"] = "no-cache"
    return secured(response)


async def asset(request: HttpRequest, name: str) -> HttpResponse:
    """One static file. Raises Http404 for a name that was not there at start-up."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    found = _assets.get(name)
    if found is None:
        raise Http404
    unchanged = request.headers.get("If-None-Match") == found.etag
    response = HttpResponse(status=304) if unchanged else HttpResponse(found.body, content_type=found.content_type)
    response["ETag"] = found.etag
    response["Cache-Control"] = "public, max-age=300"
    return secured(response)
