"""Where servers that speak OpenAI's wire differ from OpenAI, by the host of their base URL."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_AZURE = (".azure.com", ".azure-api.net")
_PATH = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Flavour:
    """``modern``: knows ``max_completion_tokens`` and the developer role, which others refuse or silently ignore.
    ``stream_options``: takes that field; who does not sends the usage of a stream unasked.
    """

    modern: bool = False
    stream_options: bool = True
    api_key_header: bool = False


def flavour_of(base_url: str) -> Flavour:
    """What the server behind this address understands."""
    host = urlsplit(base_url).hostname or ""
    if host.endswith(_AZURE):
        return Flavour(modern=True, api_key_header=True)
    if host == "api.openai.com" or host.endswith(".api.openai.com"):
        return Flavour(modern=True)
    return Flavour(stream_options=host != "api.mistral.ai")


def endpoint(base_url: str, path: str) -> str:
    """The URL of ``path`` below a base URL. A query, such as Azure's ``api-version``, stays at the end."""
    base, mark, query = base_url.partition("?")
    return base.rstrip("/").removesuffix(_PATH) + path + mark + query
