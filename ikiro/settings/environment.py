"""The one typed reader of the environment. A bad value stops the start with its name and what it should be.

``NAME_FILE`` beats ``NAME`` for secrets, so that a container can mount them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """A string; without a default it must be set."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={file}: {error.strerror}") from None
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE).")
    return value


def integer(name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
    """A whole number within bounds."""
    raw = os.environ.get(name, str(default))
    if not raw.lstrip("-").isdigit() or not least <= int(raw) <= most:
        raise ImproperlyConfigured(f"{name}={raw!r} must be a whole number from {least} to {most}.")
    return int(raw)


def decimal(name: str, default: float, *, least: float = 0.0) -> float:
    """A number of at least ``least``."""
    raw = os.environ.get(name, str(default))
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} must be a number.") from None
    if value < least:
        raise ImproperlyConfigured(f"{name}={raw!r} must be at least {least}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def routes(name: str) -> dict[str, Any]:
    """A JSON object whose values are model names or route documents, such as
    ``{"fast": "openai/gpt-4o-mini", "best": {"targets": [{"model": "openai/gpt-4o"}], "fallbacks": [...]}}``."""
    raw = text(name, "") or "{}"
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(_is_route(one) for one in value.values()):
        raise ImproperlyConfigured(f"{name} must be a JSON object of model names or of objects with targets.")
    return value


def _is_route(value: object) -> bool:
    if isinstance(value, str):
        return True
    targets = value.get("targets") if isinstance(value, dict) else None
    return isinstance(targets, list) and all(isinstance(one, dict) and "model" in one for one in targets)


def database(name: str) -> dict[str, object]:
    """Django's connection fields of a ``postgresql://user:password@host:port/name?host=/socket`` URL."""
    raw = text(name)
    url = urlsplit(raw)
    if url.scheme not in {"postgresql", "postgres"} or not url.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must look like postgresql://user@host/database.")
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    return {
        "NAME": url.path.strip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.pop("host", unquote(url.hostname or "")),
        "PORT": query.pop("port", str(url.port or "")),
        "OPTIONS": query,
    }
