"""The client of the OpenAI wire: chat completions, buffered and streamed."""

from __future__ import annotations

from gateway.platform.providers.openai_wire.client import OpenAIWire

__all__ = ["OpenAIWire"]
