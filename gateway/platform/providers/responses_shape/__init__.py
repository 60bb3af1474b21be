"""OpenAI's Responses shape for models that do not speak it themselves: requests out of its bodies, answers as its
responses and events.
"""

from __future__ import annotations

from gateway.platform.providers.responses_shape.answer import ResponseWriter
from gateway.platform.providers.responses_shape.request import request_of

__all__ = ["ResponseWriter", "request_of"]
