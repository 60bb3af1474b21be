"""The headers that Anthropic's clients send beside their key."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.core.errors import BadRequest
from gateway.platform.providers.messages_shape import BETA, VERSION, VERSIONS

_fields, _encode = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Encoder().encode


def version_of(meta: Mapping[str, str]) -> str:
    """The ``anthropic-version`` of a call. Raises BadRequest without one, or for one that never was."""
    version = meta.get("HTTP_ANTHROPIC_VERSION")
    if not version:
        raise BadRequest("anthropic-version: header is required.", status=400)
    if version not in VERSIONS:
        known = ", ".join(VERSIONS)
        raise BadRequest(f"anthropic-version: {version[:40]!r} is not a version; there are {known}.", status=400)
    return version


def carried(body: bytes, meta: Mapping[str, str]) -> bytes:
    """The body with the version and the names of the ``anthropic-beta`` header in it, which is how they reach a
    provider that knows them, as on other clouds of these models. Raises as ``version_of``."""
    told: dict[str, object] = {VERSION: version_of(meta)}
    names = [name.strip() for name in meta.get("HTTP_ANTHROPIC_BETA", "").split(",") if name.strip()]
    if names:
        told[BETA] = names
    return _encode({**_fields.decode(body), **told})
