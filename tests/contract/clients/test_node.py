"""The official Node clients and the Vercel AI SDK, unchanged but for their base URL: each script runs all of its cases,
and each case is reported here."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients import node_runtime
from tests.contract.clients.node_runtime import Node, NodePackagesMissing
from tests.contract.clients.support import WIRES
from tests.harness import Gateway
from tests.surfaces.openai.support import DOT

_FOLDER = Path(__file__).parent / "node"
# Each script with what its cases are repeated over before the provider wires.
_SCRIPTS: dict[str, tuple[str, ...]] = {
    "cases": ("",),
    "anthropic": ("",),
    "aisdk": ("responses-", "chat-", "messages-"),
}


def _names(script: str) -> list[str]:
    """The cases, by the names that the script gives them."""
    text = (_FOLDER / f"{script}.mjs").read_text()
    both, single = re.findall(r"^const (?:both|single) = \{\n(.*?)^\};", text, re.S | re.M)
    methods = re.compile(r"^  async (\w+)\(", re.M)
    over = [
        f"{name}-{dialect}{wire}-{way}"
        for dialect in _SCRIPTS[script]
        for wire in WIRES
        for name in methods.findall(both)
        for way in ("plain", "persona")
    ]
    return methods.findall(single) + over


@pytest.fixture(scope="module")
def reports(
    front: Gateway, upstream: Any, node: Node, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    env = {
        "GATEWAY": front.base_url, "KEY": front.acme.api_key, "OTHER_KEY": front.globex.api_key,
        "UPSTREAM": upstream.root, "DOT": DOT,
    }  # fmt: skip

    # Made one after another: two threads that both ask for the first folder of a run get in each other's way.
    folders = [tmp_path_factory.mktemp(script) for script in _SCRIPTS]

    def run(script: str, folder: Path) -> dict[str, Any]:
        printed = node.run(_FOLDER / f"{script}.mjs", folder=folder, env=env)
        return {case["name"]: case for case in json.loads(printed)}

    # Side by side: the scripts wait for the gateway, not for each other.
    with ThreadPoolExecutor() as pool:
        return dict(zip(_SCRIPTS, pool.map(run, _SCRIPTS, folders), strict=True))


@pytest.mark.parametrize(("script", "name"), [(script, name) for script in _SCRIPTS for name in _names(script)])
def test_node__case__holds(script: str, name: str, reports: dict[str, dict[str, Any]]) -> None:
    assert reports[script][name]["error"] is None, reports[script][name]["error"]


@pytest.mark.parametrize("script", _SCRIPTS)
def test_node__every_case__is_one_of_these(script: str, reports: dict[str, dict[str, Any]]) -> None:
    assert set(reports[script]) == set(_names(script))


def test_lock_file__names_no_registry_and_checks_what_it_gets() -> None:
    locked = json.loads((_FOLDER / "package-lock.json").read_text())
    packages = {path: package for path, package in locked["packages"].items() if path}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_install__without_a_registry__says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(NodePackagesMissing, match="needs a network"):
        Node.install(_FOLDER, tmp_path)
    assert not list(tmp_path.glob("*/node_modules"))


def test_node__of_the_wheel__is_the_one_that_runs() -> None:
    version = subprocess.run([node_runtime._NODE, "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.removeprefix("v").split(".")[0]) >= 22
