"""Reading names and imports out of syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def base_name(node: ast.AST) -> str:
    """The last part of a dotted name: ``set_schema`` of ``connection.set_schema``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; ``from a import b`` gives ``a.b``, since ``b`` may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call) and base_name(node.func) == "import_module" and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                yield node.lineno, target.value


def under(module: str, roots: set[str]) -> bool:
    """Whether ``module`` is one of ``roots`` or lies inside one."""
    return any(module == root or module.startswith(root + ".") for root in roots)
