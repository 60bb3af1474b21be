"""What OpenAI's API has and this gateway has not: told in OpenAI's shape, with what there is instead.

Some clients take another path than the one their user had in mind (the AI SDK's ``openai("…")`` and the Agents SDK
mean ``/v1/responses``), so the refusal has to say it.
"""

from __future__ import annotations

from gateway.core.errors import NotFound

_FAMILIES = (
    "assistants", "audio", "batches", "completions", "embeddings", "files", "fine_tuning", "images", "moderations",
    "realtime", "responses", "threads", "uploads", "vector_stores",
)  # fmt: skip
# Below these paths of ours OpenAI has more than we do; the aliases are ours alone.
_BELOW = ("chat", "models")
_OURS = "/v1/models/aliases"
_PREFIXES = tuple(f"/v1/{family}" for family in (*_FAMILIES, *(f"{below}/" for below in _BELOW)))
_THERE_IS = "This gateway speaks POST /v1/chat/completions, GET /v1/models and its own POST /v1/chat."
_INSTEAD = {
    "responses": (
        "Use chat completions: client.chat.completions.create(…) in the openai packages, openai.chat('…') in the AI "
        "SDK, set_default_openai_api('chat_completions') in the Agents SDK."
    ),
    "completions": "Send the prompt as a message: client.chat.completions.create(…).",
    "embeddings": "Memories are embedded and searched by the gateway itself: POST /v1/memories/recall.",
}


def at(path: str) -> NotFound | None:
    """The refusal for a path of OpenAI's API that nothing here serves; None for any other path."""
    if not path.startswith(_PREFIXES) or path.startswith(_OURS):
        return None
    family, _, _ = path.removeprefix("/v1/").partition("/")
    if family not in (*_FAMILIES, *_BELOW):
        return None
    hint = _INSTEAD.get(family)
    detail = f"There is nothing at {path}. {_THERE_IS}"
    return NotFound(f"{detail} {hint}" if hint else detail, code="no_such_path")
