"""The error codes and environment variables that the code knows, read from its syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.names import base_name
from tests.architecture.tree import ROOT, sources

_VARIABLE = re.compile(r"IKIRO_[A-Z][A-Z0-9_]*[A-Z0-9]|IKIRO_[A-Z0-9_]+_$")
_CODE = re.compile(r"[a-z][a-z0-9_]*")
# Told to the operator on the command line or to a developer; no call of the API answers with these.
_NOT_PUBLIC = ("ikiro/",)


def error_codes() -> dict[str, str]:
    """Every code an error of the gateway may carry, with one place that sets it."""
    found: dict[str, str] = {}
    for source in sources():
        if not source.path.startswith(_NOT_PUBLIC):
            for line, code in _codes(source.tree):
                found.setdefault(code, f"{source.path}:{line}")
    return found


def _codes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from _defaults(node.targets, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _defaults([node.target], node.value)
        elif isinstance(node, ast.Call) and base_name(node.func) not in {"FieldProblem", "decided"}:
            for keyword in node.keywords:
                if keyword.arg == "code" and (code := _text(keyword.value)):
                    yield node.lineno, code


def _defaults(targets: list[ast.expr], assigned: ast.expr) -> Iterator[tuple[int, str]]:
    """``default_code = "x"``, ``status, title, default_code = 404, "…", "x"``, and the values of a table ``_CODES``."""
    if isinstance(assigned, ast.Dict) and [base_name(target) for target in targets] == ["_CODES"]:
        yield from ((value.lineno, code) for value in assigned.values if (code := _text(value)))
    for target in targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = assigned.elts if isinstance(assigned, ast.Tuple) else [assigned]
        for name, value in zip(names, values, strict=False):
            if base_name(name) == "default_code" and (code := _text(value)):
                yield name.lineno, code


def _text(node: ast.expr) -> str:
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def variables() -> dict[str, str]:
    """Every environment variable the code reads, with one place that does; ``…_`` is the beginning of several."""
    found: dict[str, str] = {}
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value):
                found.setdefault(node.value.removesuffix("_FILE"), f"{source.path}:{node.lineno}")
    for script in (ROOT / "Makefile", *ROOT.glob("requirements/*.sh")):
        for name in re.findall(r"\bIKIRO_[A-Z0-9_]*[A-Z0-9]", script.read_text(encoding="utf-8")):
            found.setdefault(name, script.name)
    return found


def documented(page: str) -> set[str]:
    """What the first column of a page's tables puts into backticks."""
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
