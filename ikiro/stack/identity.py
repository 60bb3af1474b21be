"""Which user the PostgreSQL programs run as: ``initdb`` and ``postgres`` refuse root.

Not root: nothing to do. Root on Linux: a user namespace that maps root to an ordinary uid, so that every file stays
root's and a directory of mode 700 works. Where namespaces are forbidden (some containers): the user ``nobody``, with
the binaries copied to, and the data kept in, a place that user can reach.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ikiro.stack.binaries import PostgresBinaries
from ikiro.stack.errors import StackError

SHARED_PLACE = Path("/var/lib/ikiro")


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start a PostgreSQL program. ``user`` (a uid) and ``group`` are set only for the ``nobody`` way."""

    binaries: PostgresBinaries
    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def argv(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program that must not be root."""
        return [*self.prefix, self.binaries.path(program), *arguments]

    def own(self, *paths: Path) -> None:
        """Hand files to the user that the programs run as; nothing to do in the other two ways."""
        if self.user is not None and self.group is not None:
            for path in paths:
                os.chown(path, self.user, self.group)


def choose_identity(
    *, data: Path, binaries: PostgresBinaries, allow_namespace: bool = True, shared_place: Path = SHARED_PLACE
) -> Identity:
    """The identity for the cluster at ``data`` (its parent exists); raises StackError where root has no way.

    In the ``nobody`` way ``data`` becomes a link to a directory below ``shared_place``.
    """
    if os.geteuid() != 0:
        return Identity(binaries)
    cluster_is_foreign = data.exists() and data.stat().st_uid != 0
    if allow_namespace and not cluster_is_foreign and sys.platform.startswith("linux"):
        prefix = ("unshare", "-U", f"--map-user={_ordinary_uid()}", f"--map-group={_ordinary_uid()}")
        if _works(prefix, binaries=binaries, directory=data.parent):
            return Identity(binaries, prefix=prefix)
    return _nobody(data=data, binaries=binaries, shared_place=shared_place)


def _ordinary_uid() -> int:
    """A uid with a passwd entry (initdb looks its name up) that is neither root nor the overflow uid."""
    uids = [entry.pw_uid for entry in pwd.getpwall() if 0 < entry.pw_uid < 65534]
    if not uids:
        raise StackError("/etc/passwd has no ordinary user, and PostgreSQL refuses to run as root.")
    return min(uids)


def _works(prefix: tuple[str, ...], *, binaries: PostgresBinaries, directory: Path) -> bool:
    """Whether a program under ``prefix`` may run the binaries and write in ``directory``."""
    script = 'test -w "$1" && exec "$2" --version'
    command = [*prefix, "sh", "-c", script, "sh", str(directory), binaries.path("postgres")]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # no unshare on this machine
        return False


def _nobody(*, data: Path, binaries: PostgresBinaries, shared_place: Path) -> Identity:
    if data.is_dir() and not data.is_symlink():
        raise StackError(
            f"PostgreSQL refuses to run as root, and user namespaces, with which {data} was made, are not allowed "
            "here. Allow them (Docker: --security-opt seccomp=unconfined), run as a normal user, or set "
            "IKIRO_DATABASE_URL."
        )
    account = pwd.getpwnam("nobody")
    place = shared_place / hashlib.sha256(os.fsencode(data.parent.resolve() / data.name)).hexdigest()[:12]
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    identity = Identity(_reachable_copy(binaries, place=shared_place), user=account.pw_uid, group=account.pw_gid)
    if not data.is_symlink():
        data.symlink_to(place / "postgres")
    os.chown(place, account.pw_uid, account.pw_gid)  # initdb makes the data directory in it
    return identity


def _reachable_copy(binaries: PostgresBinaries, *, place: Path) -> PostgresBinaries:
    """The binaries below ``place``, copied once per release; the libraries beside them come along (rpath)."""
    package = binaries.root.parent
    stamp = int((binaries.bin / "postgres").stat().st_mtime)
    target = place / f"postgresql-{binaries.major}-{stamp}"
    if not target.exists():
        building = place / f".{target.name}.{os.getpid()}"
        shutil.copytree(binaries.root, building / package.name / binaries.root.name, symlinks=True)
        shutil.copytree(package.parent / f"{package.name}.libs", building / f"{package.name}.libs", symlinks=True)
        _open_to_all(building)
        try:
            building.rename(target)
        except OSError:  # another start was quicker; its copy is the same
            shutil.rmtree(building)
    root = target / package.name / binaries.root.name
    return PostgresBinaries(root=root, bin=root / "bin", major=binaries.major)


def _open_to_all(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)
