"""Content parts: text, images and documents in Anthropic's terms. What a model could not see is refused by name, never
left out in silence.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.platform.providers.errors import UpstreamRejected

_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,(?P<data>.*)\Z", re.S)
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"


def blocks_of(content: Any, where: str) -> list[dict[str, Any]]:
    """The content blocks of a user's message or of a tool's result."""
    return [block for at, part in _parts(content) if (block := _block(part, f"{where}.content[{at}]")) is not None]


def text_blocks(content: Any, where: str) -> list[dict[str, Any]]:
    """The same where only text can stand: the system's and the assistant's side."""
    blocks = blocks_of(content, where)
    other = next((block["type"] for block in blocks if block["type"] != "text"), None)
    if other is not None:
        raise UpstreamRejected(f"{where}: {other} parts come from the user or a tool only.")
    return blocks


def _parts(content: Any) -> list[tuple[int, Any]]:
    if isinstance(content, str):
        return [(0, {"type": "text", "text": content})]
    return list(enumerate(content)) if isinstance(content, list) else []


def _block(part: Any, where: str) -> dict[str, Any] | None:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    if not isinstance(part, dict):
        raise UpstreamRejected(f"{where} is not a content part.")
    block: dict[str, Any] | None
    match part.get("type"):
        case "text" | "refusal":
            text = part.get("text") or part.get("refusal") or ""
            block = {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None
        case "image_url":
            block = _image(part.get("image_url"), where)
        case "file":
            block = _file(part.get("file"), where)
        case kind:
            raise UpstreamRejected(f"{where}: this model takes no {kind!r} parts.")
    cached = part.get("cache_control")
    if block is not None and isinstance(cached, dict) and cached.get("type") == "ephemeral":
        block["cache_control"] = {"type": "ephemeral"}
    return block


def _image(given: Any, where: str) -> dict[str, Any]:
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str):
        raise UpstreamRejected(f"{where}: an image needs a url.")
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    found = _DATA.match(url)
    if found is None or found["type"] not in (*_IMAGES, _PDF):
        raise UpstreamRejected(f"{where}: an image is base64 data of {', '.join(_IMAGES)}.")
    if found["type"] == _PDF:
        return _document(found["data"], None)
    source = {"type": "base64", "media_type": found["type"], "data": found["data"]}
    return {"type": "image", "source": source}


def _file(given: Any, where: str) -> dict[str, Any]:
    data = given.get("file_data") if isinstance(given, dict) else None
    found = _DATA.match(data) if isinstance(data, str) else None
    if found is None or found["type"] != _PDF:
        raise UpstreamRejected(f"{where}: a file is a PDF as file_data, data:{_PDF};base64,….")
    return _document(found["data"], given.get("filename"))


def _document(data: str, title: Any) -> dict[str, Any]:
    source = {"type": "base64", "media_type": _PDF, "data": data}
    named = {"title": title} if isinstance(title, str) and title else {}
    return {"type": "document", "source": source, **named}
