"""Anthropic's Messages shape for models that do not speak it themselves: requests out of its bodies, answers as its
messages and events.
"""

from __future__ import annotations

from gateway.platform.providers.messages_shape.answer import MessageWriter, usage_shape
from gateway.platform.providers.messages_shape.counting import estimated_tokens
from gateway.platform.providers.messages_shape.request import BETA, VERSION, VERSIONS, request_of

__all__ = ["BETA", "VERSION", "VERSIONS", "MessageWriter", "estimated_tokens", "request_of", "usage_shape"]
