"""What the vendors' APIs have and this gateway has not: told in their shapes, with what there is instead."""

from __future__ import annotations

from gateway.core.errors import NotFound

_FAMILIES = (
    "assistants", "audio", "batches", "complete", "completions", "files", "fine_tuning", "images",
    "moderations", "realtime", "skills", "threads", "uploads", "vector_stores", "videos",
)  # fmt: skip
# Below these paths of ours the vendors have more than we do; of what stands there, these are ours alone.
_BELOW = ("chat", "embeddings", "messages", "models", "responses")
_OURS = ("/v1/models/aliases", "/v1/conversations", "/v1/embeddings/settings", "/v1/embeddings/retry")
_PREFIXES = tuple(f"/v1/{family}" for family in (*_FAMILIES, *(f"{below}/" for below in _BELOW)))
_THERE_IS = (
    "This gateway speaks POST /v1/chat/completions, /v1/responses, /v1/embeddings and /v1/messages, GET /v1/models and "
    "its own POST /v1/chat."
)
_INSTEAD = {
    "complete": "Send the prompt as a message: client.messages.create(…).",
    "completions": "Send the prompt as a message: client.chat.completions.create(…).",
    "messages": "Batches of messages are not kept here: send them one by one.",
    "responses": "Answers are not stored here: send the conversation so far as input.",
}


def surface_at(path: str) -> str:
    """Whose dialect the refusal for a path is told in."""
    return "anthropic" if path.startswith(("/v1/messages/", "/v1/complete/")) or path == "/v1/complete" else "openai"


def at(path: str) -> NotFound | None:
    """The refusal for a path of a vendor's API that nothing here serves; None for any other path."""
    if not path.startswith(_PREFIXES) or path.startswith(_OURS):
        return None
    family, _, _ = path.removeprefix("/v1/").partition("/")
    if family not in (*_FAMILIES, *_BELOW):
        return None
    hint = _INSTEAD.get(family)
    detail = f"There is nothing at {path}. {_THERE_IS}"
    return NotFound(f"{detail} {hint}" if hint else detail, code="no_such_path")
