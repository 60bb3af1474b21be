"""Providers against the scripted upstream, and a short way to read an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.core import egress
from gateway.core.errors import GatewayError
from gateway.platform.providers.anthropic_wire import AnthropicWire
from gateway.platform.providers.openai_wire import OpenAIWire
from gateway.platform.providers.types import ModelDelta, ModelRequest, Provider
from tests.without_django import ensure_settings

ensure_settings()
ASKED = ({"role": "user", "content": "Hello there"},)
QUICK = egress.Timeouts(connect=10, first_byte=1, stall=1, total=2.5)


def wire(base_url: str, *, key: str = "sk-operator", timeouts: egress.Timeouts = QUICK) -> OpenAIWire:
    return OpenAIWire(name="openai", base_url=base_url, api_key=key, trusted=True, timeouts=timeouts)


def messages_wire(root: str, *, key: str = "sk-ant-operator", timeouts: egress.Timeouts = QUICK) -> AnthropicWire:
    return AnthropicWire(name="anthropic", base_url=root, api_key=key, trusted=True, timeouts=timeouts)


def request(model: str, *, stream: bool = True, **more: Any) -> ModelRequest:
    return ModelRequest(model, more.pop("messages", ASKED), stream=stream, **more)


async def collect(provider: Provider, asked: ModelRequest) -> list[ModelDelta]:
    async with await provider.open(asked) as stream:
        return [delta async for delta in stream]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def scene() -> Any:
        try:
            return await work
        finally:
            await egress.close_pool()

    return asyncio.run(scene())


async def until_failure(stream: Any) -> tuple[list[Any], GatewayError]:
    """What an iteration gave before it failed, and how it failed."""
    seen: list[Any] = []
    try:
        async for piece in stream:
            seen += [piece]
    except GatewayError as error:
        return seen, error
    raise AssertionError(f"it ended well: {seen}")


def text_of(deltas: list[ModelDelta]) -> str:
    return "".join(delta.content or "" for delta in deltas)


def last(deltas: list[ModelDelta], field: str) -> Any:
    return next((value for delta in reversed(deltas) if (value := getattr(delta, field)) is not None), None)
