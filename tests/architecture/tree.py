"""The project's own source files, parsed once, for the rules to look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ikiro", "console", "gateway", "tenants")


@dataclass(frozen=True)
class Source:
    """One Python file. ``path`` is relative to the project, with forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def lines(self) -> int:
        return self.text.count("\n") + (not self.text.endswith("\n") and bool(self.text))

    @property
    def is_migration(self) -> bool:
        return "/migrations/" in self.path


def sources(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> Iterator[Source]:
    """Every .py file of the product below ``root``: no tests, no virtual environment."""
    files = [root / "manage.py"] if (root / "manage.py").exists() else []
    for package in packages:
        files += sorted((root / package).rglob("*.py"))
    for file in files:
        yield Source(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))
