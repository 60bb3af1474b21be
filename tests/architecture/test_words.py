"""The tree names no machine: no absolute path of somebody's disk in code, templates, documents or tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

_MACHINE = re.compile(r"(?<![\w.~}\])-])/(?:home|root|work|farm|Users)/[\w.]")
_TEXT = {
    ".py",
    ".md",
    ".html",
    ".css",
    ".js",
    ".toml",
    ".txt",
    ".in",
    ".ini",
    ".sh",
    ".yml",
    ".yaml",
    ".json",
    ".sql",
    "",
}


def machine_paths(text: str) -> Iterator[int]:
    """The numbers of the lines that hold a path of one machine."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _MACHINE.search(line):
            yield number


def _files() -> Iterator[Path]:
    """What git would commit: tracked files and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        if Path(name).suffix in _TEXT and (ROOT / name).is_file():
            yield ROOT / name


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout: nothing says which files are ours")
def test_tree__all_text_files__name_no_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _files()
        for line in machine_paths(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("text", ["cd " + "/root" + "/ikiro", "see `" + "/home" + "/ann`", '"' + "/work" + '/main"'])
def test_machine_paths__planted__are_found(text: str) -> None:
    assert list(machine_paths(text)) == [1]


@pytest.mark.parametrize("text", ["/v1/farm/items", "https://example.com/home/page", "~/farm/x", "gateway/farm/a"])
def test_machine_paths__harmless__are_not(text: str) -> None:
    assert list(machine_paths(text)) == []
