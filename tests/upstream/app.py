"""The scripted provider as an ASGI application, and what it remembers of its calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.upstream import anthropic, openai, responses
from tests.upstream.scenarios import SCENARIOS, Cut, Options

_HTML = b"<html>captive portal</html>"
_DIALECTS = {"/messages": "anthropic", "/count_tokens": "anthropic", "/responses": "responses"}
_SAYING = (b"content_block_delta", b"output_text.delta")
_DRIP = {"split": "7", "split_ms": "2"}


@dataclass
class Call:
    id: int
    path: str
    dialect: str
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
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self.seen: list[Call] = []
        self.listed: list[dict[str, str]] = []
        self.tries: Counter[str] = Counter()
        self.default: tuple[str, Options] = ("normal", {})
        self.catalogue: dict[str, Any] = {"ids": ["fake"], "status": 200}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path, headers = scope["path"], {key.decode(): value.decode() for key, value in scope["headers"]}
        if path.startswith("/__"):
            await self._json(send, 200, self._control(path, json.loads(body) if body else {}))
        elif path.endswith("/models"):
            await self._models(headers, send)
        else:
            await self._chat(path, headers, body, receive, send)

    def _control(self, path: str, wanted: dict[str, Any]) -> dict[str, Any]:
        if path == "/__calls":
            return {"calls": [vars(call) for call in self.seen]}
        if path == "/__listings":
            return {"listings": self.listed}
        if path == "/__script":
            self.default = (wanted["scenario"], {key: str(value) for key, value in wanted.get("options", {}).items()})
        elif path == "/__models":
            self.catalogue = wanted
        elif path == "/__reset":
            self._reset()
        return {}

    async def _models(self, headers: dict[str, str], send: Any) -> None:
        self.listed.append(headers)
        dialect: Any = anthropic if "anthropic-version" in headers else openai
        status = self.catalogue["status"]
        await asyncio.sleep(self.catalogue.get("delay_ms", 0) / 1000)
        names = self.catalogue["ids"]
        await self._json(send, status, dialect.models(names) if status == 200 else dialect.error(status, "scripted"))

    async def _chat(self, path: str, headers: dict[str, str], raw: bytes, receive: Any, send: Any) -> None:
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        name, options = self._scenario(str(body.get("model", "")))
        dialect = next((known for end, known in _DIALECTS.items() if path.endswith(end)), "openai")
        with self._lock:
            record = Call(len(self.seen) + 1, path, dialect, headers, body, len(raw), name)
            self.seen.append(record)
        watcher = asyncio.create_task(self._watch(receive, record))
        answer = asyncio.create_task(self._answer(record, options, send))
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

    async def _answer(self, record: Call, options: Options, send: Any) -> None:
        name, body = record.scenario, record.body
        dialect: Any = {"anthropic": anthropic, "responses": responses}.get(record.dialect, openai)
        await asyncio.sleep(int(options.get("delay_ms", "0")) / 1000)
        if (refused := dialect.refused(record.headers, body, record.path)) is not None:
            await self._json(send, *refused)
        elif name == "status" or (name == "flaky" and self._fails_again(record, options)):
            await self._error(record, dialect, options, send)
        elif name in ("non-json", "html"):
            await self._start(send, 200, options.get("content_type", "text/html"))
            await send({"type": "http.response.body", "body": _HTML})
        elif record.path.endswith("/count_tokens"):
            await self._json(send, 200, {"input_tokens": anthropic.prompt_tokens(body)})
        elif record.path.endswith("/embeddings"):
            await self._json(send, 200, openai.embeddings(body, options))
        elif not body.get("stream"):
            answer = dialect.whole(options, SCENARIOS[name](options, body), body)
            if name in ("cut", "stall", "stall-first"):
                await self._start(send, 200, "application/json")
                await send({"type": "http.response.body", "body": json.dumps(answer).encode()[:20], "more_body": True})
                if name == "cut":
                    raise Cut
                await asyncio.sleep(3600)
            await self._json(send, 200, answer, content_type=options.get("content_type"))
        else:
            await self._start(send, 200, options.get("content_type", "text/event-stream"))
            async for data in self._paced(name, options, dialect, body):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _fails_again(self, record: Call, options: Options) -> bool:
        model = str(record.body.get("model"))
        self.tries[model] += 1
        return self.tries[model] <= int(options.get("times", "1"))

    async def _error(self, record: Call, dialect: Any, options: Options, send: Any) -> None:
        if options.get("drop"):
            await self._start(send, 200, "text/event-stream")
            raise Cut
        code = int(options.get("code", "500"))
        names = {"retry_after": "retry-after", "retry_after_ms": "retry-after-ms"}
        extra = {header: options[option] for option, header in names.items() if option in options}
        message = f"scripted {code}"
        if options.get("leak"):
            key = record.headers.get("x-api-key") or record.headers.get("authorization", "").removeprefix("Bearer ")
            message += f": incorrect API key provided: {key}"
        await self._json(send, code, dialect.error(code, message, options.get("error_code")), extra)

    async def _paced(self, name: str, options: Options, dialect: Any, body: dict[str, Any]) -> AsyncIterator[bytes]:
        if name == "drip":
            options = {**_DRIP, **options}
        after = 0 if name == "stall-first" else int(options.get("after", "2"))
        pace, split = int(options.get("pace_ms", "0")) / 1000, int(options.get("split", "0"))
        said = 0
        for number, data in enumerate(dialect.stream(name, options, SCENARIOS[name](options, body), body)):
            said += dialect is openai or any(word in data for word in _SAYING) or (name == "stall" and after == 0)
            if said > after and name in ("stall", "stall-first"):
                await asyncio.sleep(3600)
            if said > after and name == "cut":
                raise Cut
            if pace and number:
                await asyncio.sleep(pace)
            shown = data.replace(b"\n", b"\r\n") if options.get("eol") == "crlf" else data
            shown = (b": keep-alive\n\n" if options.get("comments") else b"") + shown
            if not split:
                yield shown
                continue
            for at in range(0, len(shown), split):
                yield shown[at : at + split]
                await asyncio.sleep(int(options.get("split_ms", "0")) / 1000)

    async def _start(self, send: Any, status: int, content_type: str, extra: dict[str, str] | None = None) -> None:
        headers = {"content-type": content_type, **(extra or {})}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )

    async def _json(
        self,
        send: Any,
        status: int,
        value: Any,
        extra: dict[str, str] | None = None,
        content_type: str | None = None,
    ) -> None:
        await self._start(send, status, content_type or "application/json", extra)
        await send({"type": "http.response.body", "body": json.dumps(value).encode()})
