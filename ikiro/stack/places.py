"""Where one installation keeps its things: the state directory, and a short runtime directory for sockets."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ikiro.stack.errors import StackError

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one installation. ``state`` survives restarts, ``runtime`` holds sockets only."""

    state: Path
    runtime: Path

    @property
    def postgres_data(self) -> Path:
        return self.state / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.state / "valkey"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def embedder_socket(self) -> Path:
        return self.runtime / "embedder.sock"

    @property
    def lock(self) -> Path:
        return self.state / "instance.lock"


def resolve_places(environ: Mapping[str, str]) -> Places:
    """The places named by IKIRO_STATE_DIR (default ``.ikiro/`` in the project), both made with mode 0700.

    Raises StackError when a directory belongs to somebody else.
    """
    return make_places(Path(environ.get("IKIRO_STATE_DIR") or PROJECT_ROOT / ".ikiro"))


def make_places(state: Path) -> Places:
    """The places for ``state``; raises StackError when a directory cannot be made or belongs to somebody else."""
    state = state.expanduser().resolve()
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    # A socket path ends at 107 bytes, so not below the state directory; mode and owner are checked.
    places = Places(state=state, runtime=Path("/tmp") / f"ikiro-{digest}")  # noqa: S108
    for path in (places.state, places.runtime, places.secrets, places.logs):
        _private_directory(path)
    return places


def _private_directory(path: Path) -> None:
    """Make ``path`` with mode 0700. One made by another user is refused: its owner could read or replace sockets."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise StackError(f"{path} is not a directory.")
        if found.st_uid != os.geteuid():
            raise StackError(
                f"{path} belongs to another user (uid {found.st_uid}). Run as that user, or set IKIRO_STATE_DIR."
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise StackError(
            f"{path} cannot be used: {error.strerror}. Set IKIRO_STATE_DIR to a writable place."
        ) from error
