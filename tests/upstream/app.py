"""The scripted provider as an ASGI application, and what it remembers of its calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.upstream.scenarios import SCENARIOS, Cut, Frame, Options


@dataclass
class Call:
    id: int
    path: str
    headers: dict[str, str]
    body: Any
    raw_size: int
    scenario: str
    at: float = field(default_factory=time.time)
    finished: bool = False
    disconnected: bool = False
    disconnected_after: float | None = None


class Upstream:
    """The ASGI application and what it remembers."""

    def __init__(self) -> None:
        self.seen: list[Call] = []
        self.default: tuple[str, Options] = ("normal", {})
        self._lock = threading.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"]
        if path == "/__calls":
            await self._json(send, 200, {"calls": [vars(call) for call in self.seen]})
        elif path == "/__script":
            wanted = json.loads(body)
            self.default = (wanted["scenario"], {key: str(value) for key, value in wanted.get("options", {}).items()})
            await self._json(send, 200, {})
        elif path == "/__reset":
            self.seen, self.default = [], ("normal", {})
            await self._json(send, 200, {})
        elif path.endswith("/models"):
            await self._json(send, 200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})
        else:
            await self._chat(scope, body, receive, send)

    async def _chat(self, scope: dict[str, Any], raw: bytes, receive: Any, send: Any) -> None:
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        name, options = self._scenario(str(body.get("model", "")))
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        with self._lock:
            record = Call(len(self.seen) + 1, scope["path"], headers, body, len(raw), name)
            self.seen.append(record)
        watcher = asyncio.create_task(self._watch(receive, record))
        answer = asyncio.create_task(self._answer(name, options, body, send))
        try:
            await asyncio.wait({watcher, answer}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
                record.finished = True
        finally:
            watcher.cancel()
            answer.cancel()
            with contextlib.suppress(asyncio.CancelledError, Cut):
                await answer

    async def _watch(self, receive: Any, record: Call) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        record.disconnected, record.disconnected_after = True, time.time() - record.at

    def _scenario(self, model: str) -> tuple[str, Options]:
        if not model.startswith("fake:"):
            return self.default
        name, *rest = model.removeprefix("fake:").split(",")
        return name, dict(part.split("=", 1) for part in rest)

    async def _answer(self, name: str, options: Options, body: dict[str, Any], send: Any) -> None:
        await asyncio.sleep(int(options.get("delay_ms", "0")) / 1000)
        if name == "status":
            code = int(options.get("code", "500"))
            extra = {"retry-after": options["retry_after"]} if "retry_after" in options else {}
            error = {
                "message": f"scripted {code}",
                "type": "scripted",
                "param": "messages",
                "code": options.get("error_code"),
            }
            await self._json(send, code, {"error": error}, extra)
            return
        if name == "non-json":
            await self._start(send, 200, "text/html")
            await send({"type": "http.response.body", "body": b"<html>captive portal</html>"})
            return
        frames = SCENARIOS[name](options, body)
        if not body.get("stream"):
            await self._json(send, 200, self._whole(frames, body))
            return
        await self._start(send, 200, "text/event-stream")
        async for data in self._paced(name, options, frames, body):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _paced(
        self, name: str, options: Options, frames: list[Frame], body: dict[str, Any]
    ) -> AsyncIterator[bytes]:
        after, pace = int(options.get("after", "2")), int(options.get("pace_ms", "0")) / 1000
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        base = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": body.get("model")}
        for number, frame in enumerate(frames):
            if number == after and name == "stall":
                await asyncio.sleep(3600)
            if number == after and name == "cut":
                raise Cut
            if pace and number:
                await asyncio.sleep(pace)
            shown = (
                frame
                if isinstance(frame, dict) and "error" in frame
                else {**base, **frame}
                if isinstance(frame, dict)
                else frame
            )
            yield shown if isinstance(shown, bytes) else b"data: " + json.dumps(shown).encode() + b"\n\n"
        if name not in ("break", "error-mid", "error-first"):
            if usage:
                yield (
                    b"data: "
                    + json.dumps({**base, "choices": [], "usage": self._usage(frames, body)}).encode()
                    + b"\n\n"
                )
            yield b"data: [DONE]\n\n"

    def _usage(self, frames: list[Frame], body: dict[str, Any]) -> dict[str, Any]:
        prompt = len(json.dumps(body.get("messages", [])).split())
        return {
            "prompt_tokens": prompt,
            "completion_tokens": len(frames),
            "total_tokens": prompt + len(frames),
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def _whole(self, frames: list[Frame], body: dict[str, Any]) -> dict[str, Any]:
        text, calls, finish = "", {}, None
        for frame in frames:
            if not isinstance(frame, dict) or "error" in frame:
                return {"error": {"message": "the model crashed", "type": "server_error"}}
            choice = frame["choices"][0]
            text += choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
            for part in choice["delta"].get("tool_calls", ()):
                known = calls.setdefault(
                    part["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                known["id"] = part.get("id", known["id"])
                known["function"]["name"] += part["function"].get("name", "")
                known["function"]["arguments"] += part["function"]["arguments"]
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = list(calls.values())
        return {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": self._usage(frames, body),
        }

    async def _start(self, send: Any, status: int, content_type: str, extra: dict[str, str] | None = None) -> None:
        headers = {"content-type": content_type, **(extra or {})}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )

    async def _json(self, send: Any, status: int, value: Any, extra: dict[str, str] | None = None) -> None:
        await self._start(send, status, "application/json", extra)
        await send({"type": "http.response.body", "body": json.dumps(value).encode()})
