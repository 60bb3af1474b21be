"""What the files in docker/ say: compose.yaml with its defaults filled in, and the Dockerfile's instructions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-((?:[^{}]|\{[^{}]*\})*))?\}")


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Compose's ``${NAME:-default}``, the default possibly another variable. A variable without both is an error."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if values.get(name):
            return values[name]
        assert default is not None, f"{name} has neither a value nor a default"
        return interpolate(default, values)

    return _VARIABLE.sub(value, text)


def compose(values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """compose.yaml as compose reads it: anchors merged, variables filled in."""
    return _filled(yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8")), values or {})


def env_example() -> dict[str, str]:
    """The variables of .env.example."""
    lines = (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: shlex.split(value)[0] if value else "" for name, value in pairs}


def variables() -> set[str]:
    """Every variable that compose.yaml asks its .env for."""
    return set(re.findall(r"\$\{([A-Z_]+)", (DOCKER / "compose.yaml").read_text(encoding="utf-8")))


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, one ``(INSTRUCTION, arguments)`` per instruction, comments dropped and lines joined."""
    lines = (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text)
    return [(name.upper(), rest) for name, rest in (line.split(None, 1) for line in joined.splitlines())]


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions by stage; what stands before the first FROM is left out."""
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def copied() -> list[tuple[str, str]]:
    """``(from the repository, to below the working directory)`` of every COPY out of the build context."""
    pairs = []
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            source, target = rest.split()
            pairs.append((source, target))
    return pairs


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    return interpolate(node, values) if isinstance(node, str) else node
