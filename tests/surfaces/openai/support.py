"""Talking to the OpenAI surface without a client that would tidy up what it sees."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.harness import Org

PATH = "/v1/chat/completions"
LOOKUP = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
# One dot, as a PNG.
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)


def body(text: Any = "hello", model: str = "ikiro/sandbox", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def persona(subject: str, **more: str) -> dict[str, str]:
    return {"x-persona-id": "brand-default", "x-subject-id": subject, **more}


def remember(org: Org, subject: str, text: str) -> str:
    item = {"subject_id": subject, "text": text, "provenance": {"source": "gmail", "ref": "msg_1"}}
    with org.client() as client:
        return str(client.post("/v1/memories", json=item).raise_for_status().json()["id"])


def frames(answer: httpx.Response) -> list[Any]:
    """The data of every frame, the last being the text ``[DONE]`` where there is one. Fails on a named event."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    found: list[Any] = []
    for line in answer.text.splitlines():
        if line and not line.startswith(":"):
            assert line.startswith("data: "), line
            data = line.removeprefix("data: ")
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error object, after checking that it has OpenAI's shape and the request's id."""
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert set(said) == {"error"}
    assert set(said["error"]) == {"message", "type", "param", "code", "request_id"}
    assert said["error"]["request_id"] == answer.headers["x-request-id"] == answer.headers["request-id"]
    return dict(said["error"])
