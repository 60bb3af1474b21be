"""The documentation's commands work: each page's marked blocks run in order, in one shell, against a live gateway."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT

_BLOCK = re.compile(r"<!-- test: quickstart -->\n```(?:sh|bash)\n(.*?)```", re.S)
_SEPARATOR = "--- next block ---"


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page that are marked to be run."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def _pages() -> list[str]:
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [page.relative_to(ROOT).as_posix() for page in pages if blocks(page)]


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
    env = {"IKIRO_URL": gateway.base_url, "IKIRO_KEY": gateway.acme.api_key}
    script = blocks(ROOT / page)
    if any("/v1/requests/" in block for block in script):
        script = [_patient(block) for block in script]
    outputs = run(script, directory=tmp_path, env=env)
    assert len(outputs) == len(script)
    for output in outputs:
        answer(output)


def test_quickstart__run_from_the_top__remembers_and_cites(gateway: Any, tmp_path: Path) -> None:
    env = {"IKIRO_URL": gateway.base_url, "IKIRO_KEY": gateway.acme.api_key}
    script = [_patient(block) for block in blocks(ROOT / "docs/guides/quickstart.md")]
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
