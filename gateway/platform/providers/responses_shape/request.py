"""Bodies of the Responses API as the request that every wire understands.

What needs a store of earlier answers, or tools that OpenAI runs itself, is refused by name: another provider has
neither.
"""

from __future__ import annotations

from typing import Any

from gateway.platform.providers.reading import Fields, objects, typed, unsupported, wrong
from gateway.platform.providers.responses_shape.items import conversation
from gateway.platform.providers.types import ModelRequest

_PASSED = (
    "temperature", "top_p", "parallel_tool_calls", "user", "metadata", "safety_identifier", "prompt_cache_key",
)  # fmt: skip
_TUNING = ("include", "truncation", "service_tier", "max_tool_calls", "top_logprobs", "prompt_cache_retention")
_STORED = ("previous_response_id", "conversation", "prompt")
_NO_STORE = "no answer is stored here to go on from; send the conversation so far as input"


def refuse_stored(fields: Fields) -> None:
    """Raise BadRequest for what goes on from something stored, or would be stored and fetched later."""
    for name in _STORED:
        if fields.get(name) is not None:
            raise unsupported(name, _NO_STORE)
    if fields.get("background") is True:
        raise unsupported("background", "an answer is given in the call that asks for it; leave it out")


def request_of(fields: Fields, *, model: str, stream: bool) -> ModelRequest:
    """The request that a body makes. Raises BadRequest naming the field."""
    refuse_stored(fields)
    ignored = [name for name in _TUNING if fields.get(name) not in (None, [], "auto", "disabled", "default", 0)]
    if fields.get("store") is True:
        ignored.append("store")
    instructions = fields.get("instructions")
    turns: list[Fields] = [{"role": "system", "content": instructions}] if instructions else []
    turns += conversation(fields.get("input"))
    tools = tuple(_tool(tool, f"tools.{at}") for at, tool in enumerate(objects(fields, "tools")))
    params = {name: fields[name] for name in _PASSED if fields.get(name) is not None}
    if not tools:
        params.pop("parallel_tool_calls", None)
    if fields.get("max_output_tokens") is not None:
        params["max_completion_tokens"] = fields["max_output_tokens"]
    params |= _text(fields.get("text")) | _reasoning(fields.get("reasoning"), ignored)
    choice = _choice(fields.get("tool_choice"))
    return ModelRequest(model, tuple(turns), tools, choice if tools else None, params, stream, ignored)


def _tool(tool: Fields, place: str) -> Fields:
    if tool.get("type") != "function":
        raise unsupported(f"{place}.type", f"{tool.get('type')!r} runs at OpenAI only; this model takes functions")
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    typed(function, "name", str, place)
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if choice is None or isinstance(choice, str):
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "function":
        return {"type": "function", "function": {"name": typed(choice, "name", str, "tool_choice")}}
    if kind != "allowed_tools":
        raise unsupported("tool_choice.type", "must be function or allowed_tools for this model")
    named = [
        {"type": "function", "function": {"name": typed(tool, "name", str, f"tool_choice.tools.{at}")}}
        for at, tool in enumerate(objects(choice, "tools"))
    ]
    allowed = {"mode": choice.get("mode") or "auto", "tools": named}
    return {"type": "allowed_tools", "allowed_tools": allowed}


def _text(text: Any) -> Fields:
    if text is None:
        return {}
    if not isinstance(text, dict):
        raise wrong("text", "must be an object")
    found: Fields = {"verbosity": text["verbosity"]} if text.get("verbosity") is not None else {}
    wanted: Any = text.get("format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        found["response_format"] = {"type": "json_object"}
    elif kind == "json_schema":
        described = {name: wanted[name] for name in ("name", "description", "schema", "strict") if name in wanted}
        found["response_format"] = {"type": "json_schema", "json_schema": described}
    elif kind != "text":
        raise unsupported("text.format.type", "must be text, json_object or json_schema")
    return found


def _reasoning(reasoning: Any, ignored: list[str]) -> Fields:
    if not isinstance(reasoning, dict):
        return {}
    if reasoning.get("summary") is not None:
        ignored.append("reasoning.summary")
    return {"reasoning_effort": reasoning["effort"]} if reasoning.get("effort") is not None else {}
