"""Streams that break off end with their dialect's own error event, also for whoever follows them by an
``Idempotency-Key``."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.repeats.support import CHAT, COMPLETIONS, asked, completion, fresh, turn

RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
PATHS = [CHAT, COMPLETIONS, RESPONSES, MESSAGES]
SLOW = "openai/fake:normal,chunks=60,pace_ms=150"
# Long enough for a worker's lease to run out, on a machine that has more to do.
PATIENCE_S = 90


def body_of(path: str, mark: str) -> dict[str, Any]:
    if path == CHAT:
        return turn(mark, mark, model=SLOW, stream=True)
    if path == RESPONSES:
        return {"model": SLOW, "input": mark, "stream": True}
    return completion(mark, SLOW, stream=True, max_tokens=500)


def headers_of(mark: str) -> dict[str, str]:
    return {"idempotency-key": mark, "anthropic-version": "2023-06-01"}


def events(text: str) -> list[tuple[str | None, Any]]:
    """``(event, data)`` of each frame that is not a comment."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found


class Follower:
    """The same POST with the same key once more, read in a thread to its end."""

    def __init__(self, gateway: Gateway, path: str, mark: str) -> None:
        self.read, self.headers = "", httpx.Headers()
        self._gateway, self._path, self._mark = gateway, path, mark
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with self._gateway.acme.client() as client:
            client.timeout = httpx.Timeout(PATIENCE_S)
            sent = {"json": body_of(self._path, self._mark), "headers": headers_of(self._mark)}
            with client.stream("POST", self._path, **sent) as answer:
                self.headers = answer.headers
                for text in answer.iter_text():
                    self.read += text

    def follows(self) -> bool:
        """Whether it has seen something of the stream."""
        return "data: " in self.read

    def whole(self) -> str:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.read


def check(path: str, text: str, code: str) -> None:
    """The stream's end says ``code`` as its dialect does, after events that are whole."""
    *before, last = events(text)
    name, data = last
    assert len(before) >= 1
    if path == CHAT:
        assert (name, data["code"], data["type"]) == ("error", code, f"urn:ikiro:error:{code}")
        assert "message.done" not in text
    elif path == COMPLETIONS:
        assert (name, data["error"]["code"]) == (None, code)
        assert "[DONE]" not in text
    elif path == RESPONSES:
        failed = before.pop()
        assert (name, data["type"], data["code"], data["error"]["code"]) == ("error", "error", code, code)
        assert (failed[0], failed[1]["type"]) == ("response.failed", "response.failed")
        assert (failed[1]["response"]["status"], failed[1]["response"]["error"]["code"]) == ("failed", code)
        numbers = [one["sequence_number"] for _, one in [*before, failed, last]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert "response.completed" not in text
    else:
        assert (name, data["type"], data["error"]["code"]) == ("error", "error", code)
        assert data["error"]["type"] == ("api_error" if code == "stream_lost" else "invalid_request_error")
        assert "message_stop" not in text


def test_followers__of_a_worker_that_is_killed__are_told_in_their_dialects(
    gateway: Gateway, spare: Gateway, upstream: Any
) -> None:
    marks, reading = {path: fresh() for path in PATHS}, []
    try:
        with ExitStack() as open_, spare.acme.client() as maker:
            for path, mark in marks.items():
                sent = {"json": body_of(path, mark), "headers": headers_of(mark)}
                answer = open_.enter_context(maker.stream("POST", path, **sent))
                assert answer.status_code == 200, answer.read()
                reading.append(answer.iter_text())
                assert next(reading[-1])
            followers = {path: Follower(gateway, path, mark) for path, mark in marks.items()}
            for follower in followers.values():
                eventually(follower.follows, within=30)
            spare.web.kill()
            for path, follower in followers.items():
                check(path, follower.whole(), "stream_lost")
                assert follower.headers["idempotent-replayed"] == "true"
    finally:
        spare.web.start()
        spare.wait_ready(60)
    assert [len(asked(upstream, mark)) for mark in marks.values()] == [1] * len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_follower__of_a_caller_who_hangs_up__is_told_in_its_dialect(gateway: Gateway, upstream: Any, path: str) -> None:
    mark = fresh()
    with gateway.acme.client() as client:
        sent = {"json": body_of(path, mark), "headers": headers_of(mark)}
        with client.stream("POST", path, **sent) as answer:
            assert answer.status_code == 200, answer.read()
            reading = answer.iter_text()
            assert next(reading)
            follower = Follower(gateway, path, mark)
            eventually(follower.follows, within=30)
    check(path, follower.whole(), "stream_cancelled")
    assert len(asked(upstream, mark)) == 1
    with gateway.globex.client() as other:
        # Another organization's same key is its own: nothing is followed.
        mine = other.post(COMPLETIONS, json=completion(mark, "ikiro/sandbox"), headers={"idempotency-key": mark})
        assert (mine.status_code, "idempotent-replayed" in mine.headers) == (200, False)
