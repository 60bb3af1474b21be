"""The official Python clients as an application would set them up, and what the scripted provider saw of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from tests.harness import Org

WIRES = ["openai", "anthropic"]
HELLO = "Hello from the fake upstream . "
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME: Any = {"type": "function", "function": {**WEATHER["function"], "name": "get_time", "description": "The time."}}
# The same tools in the two other dialects.
FLAT: list[Any] = [{"type": "function", **tool["function"]} for tool in (WEATHER, TIME)]
THEIRS: list[Any] = [
    {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]} for tool in FLAT
]
USER: Any = {"role": "user", "content": "hello"}


def options(org: Org, subject: str | None = None, **more: Any) -> dict[str, Any]:
    """What a client is made with; with a subject every call of it is for a persona."""
    headers = {"x-persona-id": "brand-default", "x-subject-id": subject} if subject else {}
    return {
        "base_url": f"{org.base_url}/v1", "api_key": org.api_key, "max_retries": 0, "timeout": 20,
        "default_headers": headers, **more,
    }  # fmt: skip


def client(org: Org, subject: str | None = None, **more: Any) -> OpenAI:
    return OpenAI(**options(org, subject, **more))


def async_client(org: Org, subject: str | None = None, **more: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**options(org, subject, **more))


def anthropic_client(org: Org, subject: str | None = None, **more: Any) -> Anthropic:
    return Anthropic(**_anthropic(org, subject, **more))


def async_anthropic_client(org: Org, subject: str | None = None, **more: Any) -> AsyncAnthropic:
    return AsyncAnthropic(**_anthropic(org, subject, **more))


def _anthropic(org: Org, subject: str | None, **more: Any) -> dict[str, Any]:
    """Their clients put the version into the path themselves."""
    return {**options(org, subject), "base_url": org.base_url, **more}


def tagged(model: str) -> tuple[str, str]:
    """(the model's name with a tag in it, the tag), so that a test finds its own calls at the provider."""
    tag = uuid4().hex
    return f"{model},tag={tag}", tag


def seen(upstream: Any, tag: str) -> list[dict[str, Any]]:
    return [call for call in upstream.calls() if tag in str(call["body"].get("model"))]
