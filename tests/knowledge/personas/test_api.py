"""What the operations leave to the executor."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.tree import ROOT

_MODULES = sorted((ROOT / "gateway/knowledge/personas/api").glob("*.py"))


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: path.stem)
def test_operations__all_of_them__hand_lint_to_the_executor(path) -> None:
    """Linting takes milliseconds to tenths of a second of pure work: on the event loop, everybody would wait."""
    tree = ast.parse(path.read_text())
    called = {
        ast.unparse(call.func)
        for coroutine in ast.walk(tree)
        if isinstance(coroutine, ast.AsyncFunctionDef)
        for statement in coroutine.body
        if not isinstance(statement, ast.FunctionDef)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
    }
    assert not called & {"lint.check", "lint.look", "selectors.verdict", "diff.fields", "comparing.compare"}
