"""Which tools the model is offered: the caller's own, and ours wherever that leaves the caller's wish intact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.engine.chat.messages import refused, unsupported
from gateway.engine.chat.write_tools import OWN_NAMES, WRITE_TOOLS, refuse_reserved

Tool = dict[str, Any]
Choice = str | dict[str, Any] | None
_WORDS = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class Offer:
    """What goes to the model. ``writes`` says whether our write tools are among the tools."""

    tools: tuple[Tool, ...]
    choice: Choice
    writes: bool


def check(tools: tuple[Tool, ...], choice: Choice, *, offers_writes: bool) -> None:
    """Raises BadRequest for tools that are no functions, for a choice that names none of them, and
    ``tool_name_reserved`` for one of our names."""
    for at, tool in enumerate(tools):
        if tool.get("type", "function") != "function":
            raise unsupported(f"/tools/{at}/type", "only tools of type function can be offered to a persona")
        function = tool.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise refused(f"/tools/{at}/function", "must be an object with a name")
    if offers_writes:
        refuse_reserved(tools)
    _check_choice(tools, choice)


def _check_choice(tools: tuple[Tool, ...], choice: Choice) -> None:
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in _WORDS:
            raise refused("/tool_choice", f"must be one of {', '.join(_WORDS)}, or an object")
        names = set()
    elif choice.get("type") == "function":
        names = {_name(choice)}
    elif choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        listed = allowed.get("tools") if isinstance(allowed, dict) else None
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise refused("/tool_choice/allowed_tools", "must be an object with a list of tools")
        names = {_name(one) for one in listed}
    else:
        raise unsupported("/tool_choice/type", "must be function or allowed_tools")
    if not tools and (names or choice == "required"):
        raise refused("/tool_choice", "needs tools to choose from")
    unknown = sorted(str(name) for name in names - {_name(tool) for tool in tools})
    if unknown:
        raise refused("/tool_choice", f"names {', '.join(unknown)}, which is not among the tools")


def offer(tools: tuple[Tool, ...], choice: Choice, *, offers_writes: bool) -> Offer:
    """The tools and the choice for the model. A call that the caller demands must not be answered by a call of ours,
    and tools that the caller wants left alone do not take ours with them."""
    if not offers_writes:
        return Offer(tools, choice if tools else None, writes=False)
    if choice == "none":
        return Offer(WRITE_TOOLS, None, writes=True)
    if choice is None or choice == "auto":
        return Offer((*tools, *WRITE_TOOLS), choice if tools else None, writes=True)
    if isinstance(choice, dict) and choice["type"] == "allowed_tools" and choice["allowed_tools"].get("mode") == "auto":
        allowed = choice["allowed_tools"]
        ours = [{"type": "function", "function": {"name": name}} for name in sorted(OWN_NAMES)]
        widened = {**choice, "allowed_tools": {**allowed, "tools": [*allowed["tools"], *ours]}}
        return Offer((*tools, *WRITE_TOOLS), widened, writes=True)
    return Offer(tools, choice, writes=False)


def _name(tool: Tool) -> str | None:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None
