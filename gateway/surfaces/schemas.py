"""The published JSON Schemas of cartridges, at addresses that stay: ``/schemas/persona-cartridge-1.1.json`` and -1.2.

Whoever lints offline (ajv, jsonschema) fetches them once, from any page and without a key.
"""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from gateway.knowledge.personas.formats import SCHEMA_BYTES

_FOUND = {
    f"persona-cartridge-{name}.json": (text, f'"{hashlib.sha256(text).hexdigest()[:32]}"')
    for name, text in SCHEMA_BYTES.items()
}
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=86400"}


async def schema(request: HttpRequest, name: str) -> HttpResponse:
    """The committed file, byte for byte; 304 for who has it, 404 for another name."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if name not in _FOUND:
        return HttpResponse(status=404)
    text, tag = _FOUND[name]
    headers = {**_HEADERS, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(text, content_type="application/schema+json", headers=headers)
