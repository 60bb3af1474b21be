"""What a provider runs or keeps itself, such as a web search or a file store.

On the operator's credential it is refused: it has a price that no token count shows, and what is kept there is kept for
everybody who shares the credential. An organization's own credential may use all that its provider has.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.platform.providers.reading import unsupported

_TOOLS = ("web_search", "web_fetch", "file_search", "code_interpreter", "code_execution", "image_generation", "mcp")
_NEEDS = "on the gateway's own credential; add your provider's key (POST /v1/providers) to use it"


def refuse_tools(tools: msgspec.Raw | None) -> None:
    """Raise BadRequest for a tool that the provider would run. What is no list of tools is the provider's to refuse."""
    value: Any = msgspec.json.decode(tools) if tools is not None else None
    for at, tool in enumerate(value if isinstance(value, list) else ()):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str) and kind.startswith(_TOOLS):
            raise unsupported(f"tools.{at}.type", f"{kind!r} is not to be had {_NEEDS}")


def refuse_keys(fields: dict[str, msgspec.Raw], names: tuple[str, ...]) -> None:
    """Raise BadRequest for a field that reaches what the provider keeps."""
    for name in names:
        if name in fields and bytes(fields[name]) not in (b"null", b"false", b"[]"):
            raise unsupported(name, f"is not to be had {_NEEDS}")
