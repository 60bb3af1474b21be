"""Anthropic's Messages bodies as the request that every wire understands. What cannot be said there is refused by name;
what only tunes the answer is left out and noted.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.platform.providers.messages_shape.content import conversation, system_message
from gateway.platform.providers.reading import Fields, objects, typed, unsupported, wrong
from gateway.platform.providers.strictness import is_strict
from gateway.platform.providers.types import ModelRequest

# Where a caller's ``anthropic-version`` and ``anthropic-beta`` headers travel until they are headers again.
VERSION, BETA = "anthropic_version", "anthropic_beta"
VERSIONS = ("2026-10-21", "2023-06-01", "2023-01-01")
# Gone since the newest of them.
_SAMPLING = ("temperature", "top_p", "top_k")
_PASSED = ("temperature", "top_p")
_TUNING = ("top_k", "service_tier", "context_management", "inference_geo", "cache_control", "diagnostics", "speed")
_HOSTED = ("container", "mcp_servers")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
# Models that take ``reasoning_effort``; others answer it with an error.
_REASONS = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9]|gpt-oss)")
# Up to how many thinking tokens which effort stands for.
_EFFORTS = ((4_096, "low"), (16_384, "medium"))


def request_of(fields: Fields, *, model: str, stream: bool) -> ModelRequest:
    """The request that a body makes. Raises BadRequest naming the field."""
    for name in _HOSTED:
        if fields.get(name):
            raise unsupported(name, "this model has nothing of the kind; ask one that Anthropic serves")
    for name in _SAMPLING:
        if fields.get(VERSION) == VERSIONS[0] and fields.get(name) is not None:
            raise wrong(name, f"is not taken in anthropic-version {VERSIONS[0]}; leave it out or send {VERSIONS[1]}")
    messages = objects(fields, "messages")
    if not messages:
        raise wrong("messages", "must hold at least one message")
    ignored = [name for name in _TUNING if fields.get(name) is not None]
    turns = [*system_message(fields.get("system"), ignored), *conversation(messages, ignored)]
    tools = tuple(_tool(tool, f"tools.{at}", ignored) for at, tool in enumerate(objects(fields, "tools")))
    choice, parallel = _choice(fields.get("tool_choice"))
    params = {name: fields[name] for name in _PASSED if fields.get(name) is not None}
    if fields.get("max_tokens") is not None:
        params["max_tokens"] = fields["max_tokens"]
    if fields.get("stop_sequences"):
        params["stop"] = fields["stop_sequences"]
    if tools and parallel is False:
        params["parallel_tool_calls"] = False
    params |= _user(fields.get("metadata")) | _output(fields) | _effort(fields, model, ignored)
    return ModelRequest(model, tuple(turns), tools, choice if tools else None, params, stream, ignored)


def _tool(tool: Fields, place: str, ignored: list[str]) -> Fields:
    kind = tool.get("type") or "custom"
    if kind != "custom":
        raise unsupported(f"{place}.type", f"{kind!r} runs at Anthropic only; this model takes tools of your own")
    if tool.get("cache_control") is not None and "cache_control" not in ignored:
        ignored.append("cache_control")
    function = {"name": typed(tool, "name", str, place), "parameters": tool.get("input_schema") or {"type": "object"}}
    if tool.get("description"):
        function["description"] = tool["description"]
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _choice(choice: Any) -> tuple[Any, bool | None]:
    """(the choice in OpenAI's words, whether several calls at once are allowed)."""
    if choice is None:
        return None, None
    kind = choice.get("type") if isinstance(choice, dict) else None
    parallel = False if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True else None
    if kind == "tool":
        return {"type": "function", "function": {"name": typed(choice, "name", str, "tool_choice")}}, parallel
    if kind not in _CHOICES:
        raise wrong("tool_choice.type", f"must be one of {', '.join((*_CHOICES, 'tool'))}")
    return _CHOICES[kind], parallel


def _user(metadata: Any) -> Fields:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return {"user": user} if isinstance(user, str) and user else {}


def _output(fields: Fields) -> Fields:
    config = fields.get("output_config")
    wanted = (config.get("format") if isinstance(config, dict) else None) or fields.get("output_format")
    if wanted is None:
        return {}
    schema = wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        raise unsupported("output_config.format", "must be a json_schema with its schema")
    described = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _effort(fields: Fields, model: str, ignored: list[str]) -> Fields:
    """How hard to think, in OpenAI's words; noted as ignored for a model that would refuse the word."""
    config, thinking = fields.get("output_config"), fields.get("thinking")
    effort = config.get("effort") if isinstance(config, dict) else None
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if not isinstance(effort, str) and kind not in ("enabled", "adaptive"):
        return {}
    if not _REASONS.search(model):
        ignored.append("thinking" if kind in ("enabled", "adaptive") else "output_config.effort")
        return {}
    if isinstance(effort, str):
        return {"reasoning_effort": "high" if effort in ("max", "xhigh") else effort}
    if kind == "adaptive":
        return {"reasoning_effort": "medium"}
    budget = typed(thinking, "budget_tokens", int, "thinking")  # type: ignore[arg-type]
    return {"reasoning_effort": next((word for most, word in _EFFORTS if budget <= most), "high")}
