"""A ModelRequest as the body of Anthropic's Messages API. What has no counterpart there is left out; content that a
model would have to see is refused instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.platform.providers.anthropic_wire.messages import conversation
from gateway.platform.providers.anthropic_wire.schemas import accepted_schema
from gateway.platform.providers.errors import UpstreamRejected
from gateway.platform.providers.types import ModelRequest

# What is asked for when the caller sets no limit, which Anthropic requires.
DEFAULT_MAX_TOKENS = 8192
# Models that take ``output_config.effort``.
_WEIGHS = re.compile(r"(?:opus-4-[5-9]|sonnet-4-[6-9]|(?:opus|sonnet|haiku)-[5-9])(?:\D|$)")
_JSON_PLEASE = "Answer with one JSON object and nothing else."


def build(request: ModelRequest) -> bytes:
    """The body as bytes. Raises UpstreamRejected for what cannot be said in Anthropic's terms."""
    return msgspec.json.encode(translated(request))


def translated(request: ModelRequest) -> dict[str, Any]:
    """The body as an object."""
    params = request.params
    system, messages = conversation(request.messages)
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "max_tokens": _max_tokens(params),
    }
    body |= _sampling(params) | _tools(request, messages)
    if config := _format(params, system) | _effort(request):
        body["output_config"] = config
    if system:
        body["system"] = system
    user = params.get("user")
    if isinstance(user, str) and user:
        body["metadata"] = {"user_id": user}
    if request.stream:
        body["stream"] = True
    return body


def _max_tokens(params: Mapping[str, Any]) -> int:
    given = (_number(params.get(name)) for name in ("max_completion_tokens", "max_tokens"))
    return next((int(most) for most in given if most is not None and most >= 1), DEFAULT_MAX_TOKENS)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sampling(params: Mapping[str, Any]) -> dict[str, Any]:
    """Temperature or top_p, never both, and not where it says what is so anyway: newer models refuse that."""
    found: dict[str, Any] = {}
    temperature, top_p = _number(params.get("temperature")), _number(params.get("top_p"))
    if temperature is not None and temperature != 1:
        found["temperature"] = min(temperature, 1)  # OpenAI's scale ends at 2
    elif top_p is not None and top_p != 1:
        found["top_p"] = top_p
    stop = params.get("stop")
    words = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    if words := [word for word in words if isinstance(word, str) and word.strip()]:
        found["stop_sequences"] = words
    return found


def _format(params: Mapping[str, Any], system: list[dict[str, Any]]) -> dict[str, Any]:
    wanted = params.get("response_format")
    if not isinstance(wanted, dict):
        return {}
    if wanted.get("type") == "json_object":
        system.append({"type": "text", "text": _JSON_PLEASE})
        return {}
    described = wanted.get("json_schema")
    if wanted.get("type") != "json_schema" or not isinstance(described, dict):
        return {}
    schema = accepted_schema(described.get("schema") or {"type": "object"})
    return {"format": {"type": "json_schema", "schema": schema}}


def _effort(request: ModelRequest) -> dict[str, Any]:
    """How hard to think, for the models that take the word; noted as ignored for all others, which refuse it."""
    effort = request.params.get("reasoning_effort")
    if not isinstance(effort, str) or effort in ("none", "minimal"):
        return {}
    if not _WEIGHS.search(request.model):
        request.ignored.append("reasoning_effort")
        return {}
    return {"effort": "high" if effort == "xhigh" else effort}


def _tools(request: ModelRequest, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    tools = [_tool(tool, at) for at, tool in enumerate(request.tools)]
    if not tools:
        return _remembered(messages)
    choice, allowed = _choice(request.tool_choice)
    if allowed is not None:
        tools = [tool for tool in tools if tool["name"] in allowed]
    if request.params.get("parallel_tool_calls") is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return {"tools": tools} | ({"tool_choice": choice} if choice else {})


def _tool(tool: dict[str, Any], at: int) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        raise UpstreamRejected(f"tools[{at}]: this model takes functions, not {tool.get('type')!r}.")
    parameters = function.get("parameters")
    schema = parameters if isinstance(parameters, dict) else {}
    made: dict[str, Any] = {"name": function.get("name"), "input_schema": {"type": "object", **schema}}
    if function.get("description"):
        made["description"] = function["description"]
    return made


def _choice(choice: Any) -> tuple[dict[str, Any] | None, frozenset[str] | None]:
    """(the choice in Anthropic's words, the names it is limited to)."""
    if isinstance(choice, str):
        words = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
        return words.get(choice), None
    if not isinstance(choice, dict):
        return None, None
    if choice.get("type") == "allowed_tools":
        limited = choice.get("allowed_tools") or choice
        names = frozenset(_named(tool) for tool in limited.get("tools") or () if isinstance(tool, dict))
        return {"type": "any" if limited.get("mode") == "required" else "auto"}, names
    return {"type": "tool", "name": _named(choice)}, None


def _named(choice: dict[str, Any]) -> str:
    function = choice.get("function")
    return str((function if isinstance(function, dict) else choice).get("name"))


def _remembered(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A conversation with calls in it needs their tools declared, also in a turn that offers none."""
    blocks = (block for message in messages for block in message["content"])
    names = dict.fromkeys(block["name"] for block in blocks if block["type"] == "tool_use")
    if not names:
        return {}
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    return {"tools": tools, "tool_choice": {"type": "none"}}
