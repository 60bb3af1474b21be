"""What the gateway is compared with: an application that answers a constant, and a provider that does the same with a
completion."""

from __future__ import annotations

import json
from typing import Any

_COMPLETION = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "word " * 120}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 120, "total_tokens": 180},
    }
).encode()


async def constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The floor: uvicorn, and nothing behind it."""
    if scope["type"] == "http":
        await _answer(receive, send, b'{"ok":true}')


async def provider(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A provider without a model."""
    if scope["type"] == "http":
        await _answer(receive, send, _COMPLETION)


async def _answer(receive: Any, send: Any, body: bytes) -> None:
    while (await receive()).get("more_body"):
        continue
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
