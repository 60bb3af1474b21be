"""The documentation's examples work, against a live gateway: a page's marked commands in order, in one shell, and each
marked program by itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.architecture.tree import ROOT
from tests.contract.clients.node_runtime import Node

_BLOCK = re.compile(r"<!-- test: quickstart -->\n```(?:sh|bash)\n(.*?)```", re.S)
_PROGRAM = re.compile(r"<!-- test: (python|typescript) -->\n```(?:python|ts)\n(.*?)```", re.S)
_SEPARATOR = "--- next block ---"


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page that are marked to be run."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def _all_pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def _pages() -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in _all_pages() if blocks(page)]


def programs() -> list[Any]:
    """Every marked program of every page: (language, its text), named by page and number."""
    found = []
    for page in _all_pages():
        for number, (language, text) in enumerate(_PROGRAM.findall(page.read_text(encoding="utf-8")), start=1):
            found.append(pytest.param(language, text, id=f"{page.relative_to(ROOT).as_posix()}-{number}"))
    return found


def run(script: list[str], *, directory: Path, env: Mapping[str, str]) -> list[str]:
    """What each block printed. A failing command ends the run and the test."""
    text = "set -euo pipefail\n" + f"\necho\necho '{_SEPARATOR}'\n".join(script)
    done = subprocess.run(
        ["bash", "-c", text], cwd=directory, env={"PATH": "/usr/local/bin:/usr/bin:/bin", **env},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return [output.strip() for output in done.stdout.split(_SEPARATOR)]


def answer(output: str) -> dict[str, Any]:
    """The JSON a block printed, or the last event's data of a stream. Fails on a problem document."""
    if output.startswith("{"):
        found = json.loads(output)
    else:
        events = [line.removeprefix("data: ") for line in output.splitlines() if line.startswith("data: ")]
        found = json.loads(events[-1])
    assert isinstance(found, dict)
    assert "code" not in found, found
    return found


@pytest.mark.parametrize("page", _pages())
def test_page__its_marked_commands__run_in_order(page: str, gateway: Any, tmp_path: Path) -> None:
    env = {
        "IKIRO_URL": gateway.base_url, "IKIRO_KEY": gateway.acme.api_key, "IKIRO_ORG": gateway.acme.slug,
        "IKIRO_EMAIL": gateway.acme.email, "IKIRO_PASSWORD": gateway.acme.password,
    }  # fmt: skip
    script = blocks(ROOT / page)
    if any("/v1/requests/" in block for block in script):
        script = [_patient(block) for block in script]
    outputs = run(script, directory=tmp_path, env=env)
    assert len(outputs) == len(script)
    for output in outputs:
        answer(output)


@pytest.mark.parametrize(("language", "text"), programs())
def test_program__as_it_stands__runs_and_says_something(
    language: str, text: str, gateway: Any, node: Node, tmp_path: Path
) -> None:
    env = {"IKIRO_URL": gateway.base_url, "IKIRO_KEY": gateway.acme.api_key}
    if language == "typescript":
        script = tmp_path / "example.mts"
        script.write_text(text, encoding="utf-8")
        (folder := tmp_path / "run").mkdir()
        printed = node.run(script, folder=folder, env=env)
    else:
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout
    assert printed.strip()


def test_quickstart__run_from_the_top__remembers_and_cites(gateway: Any, tmp_path: Path) -> None:
    env = {"IKIRO_URL": gateway.base_url, "IKIRO_KEY": gateway.acme.api_key}
    # A person of its own: what another page had remembered of Ada is not proposed again.
    ada = f'"ada-{uuid4().hex[:8]}"'
    script = [_patient(block).replace('"ada"', ada) for block in blocks(ROOT / "docs/guides/quickstart.md")]
    first, approved, second, record = map(answer, run(script, directory=tmp_path, env=env))
    assert [write["type"] for write in first["proposedWrites"]] == ["memory.upsert"]
    assert approved["state"] == "executed"
    assert "tea" in second["choices"][0]["message"]["content"]
    assert len(second["citations"]) == 1
    assert record["request_id"] == second["request_id"]


def _patient(block: str) -> str:
    """A decision record arrives a moment after its answer: ask for it until it is there."""
    if "/v1/requests/" not in block:
        return block
    return block.replace("curl -s ", "curl -s --fail --retry 20 --retry-delay 1 --retry-all-errors ")


def test_blocks__of_a_page__are_the_marked_ones(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nmake up\n```\n<!-- test: quickstart -->\n```sh\necho 1\n```\n")
    assert blocks(page) == ["echo 1\n"]


def test_run__a_failing_command__fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run(["false", "echo 1"], directory=tmp_path, env={})
    assert run(["echo $A", "echo 2"], directory=tmp_path, env={"A": "1"}) == ["1", "2"]
