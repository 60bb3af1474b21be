"""The client of Anthropic's wire: messages, buffered and streamed, asked and answered in OpenAI's shape."""

from __future__ import annotations

from gateway.platform.providers.anthropic_wire.client import AnthropicWire

__all__ = ["AnthropicWire"]
