"""Static files, from memory."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed

from console import assets

_READING = ("GET", "HEAD")
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_NOW = "public, max-age=300"


async def asset(request: HttpRequest, name: str) -> HttpResponse:
    """One static file. Raises Http404 for a name that was not there at start-up."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    found, exact = assets.find(name)
    if found is None:
        raise Http404
    if request.headers.get("If-None-Match") == found.etag:
        response = HttpResponse(status=304)
    elif found.zipped and "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(found.zipped, content_type=found.content_type)
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(found.body, content_type=found.content_type)
    response["ETag"] = found.etag
    response["Cache-Control"] = _FOR_EVER if exact else _FOR_NOW
    response["Vary"] = "Accept-Encoding"
    return response
