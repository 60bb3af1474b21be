"""An archive that was changed, cut or forged is refused before anything is restored."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from ikiro.stack.archive import Manifest, describe_members, read_archive, write_archive
from ikiro.stack.errors import BackupRefused
from ikiro.stack.vault import PASSPHRASE_VARIABLE, ask_passphrase

PASSPHRASE = "correct horse battery"
SECRETS = {"keyring.json": b'{"active": "k1"}', "secret_key": b"\x00\xff"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "members"
    (folder / "files").mkdir(parents=True)
    (folder / "database.dump").write_bytes(b"rows" * 1000)
    (folder / "files" / "journal").write_bytes(b"line\n")
    manifest = Manifest(
        kind="everything",
        created_at="2026-01-01T00:00:00+00:00",
        product_version="0.1.0",
        postgres_major=18,
        organization=None,
        valkey=False,
        members=describe_members(folder),
    )
    target = tmp_path / "x.tar"
    write_archive(target, folder=folder, manifest=manifest, secrets=SECRETS, passphrase=PASSPHRASE)
    return target


def rewrite(archive: Path, **changed: bytes) -> None:
    """Replace or add members, dots in names written as two underscores."""
    with tarfile.open(archive) as tar:
        members = {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers()}  # type: ignore[union-attr]
    members.update({name.replace("__", "."): content for name, content in changed.items()})
    with tarfile.open(archive, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def test_archive__read_back__is_what_was_written(archive: Path, tmp_path: Path) -> None:
    manifest, secrets = read_archive(archive, into=tmp_path / "out", passphrase=PASSPHRASE)
    assert secrets == SECRETS
    assert (tmp_path / "out" / "database.dump").read_bytes() == b"rows" * 1000
    assert set(manifest.members) == {"database.dump", "files/journal"}
    assert archive.stat().st_mode & 0o777 == 0o600
    assert b"k1" not in archive.read_bytes()


def test_archive__wrong_passphrase__is_refused_and_nothing_unpacked(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="The passphrase is wrong"):
        read_archive(archive, into=tmp_path / "out", passphrase="wrong horse")
    assert not (tmp_path / "out").exists()


def test_archive__member_changed_together_with_its_hash__is_refused(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    manifest["members"]["database.dump"]["sha256"] = "0" * 64
    rewrite(archive, manifest__json=json.dumps(manifest, indent=1, sort_keys=True).encode())
    with pytest.raises(BackupRefused, match="or the archive was changed"):
        read_archive(archive, into=tmp_path / "out", passphrase=PASSPHRASE)


def test_archive__member_damaged__is_refused(archive: Path, tmp_path: Path) -> None:
    rewrite(archive, database__dump=b"rowz" * 1000)
    with pytest.raises(BackupRefused, match=r"database\.dump in the archive is damaged"):
        read_archive(archive, into=tmp_path / "out", passphrase=PASSPHRASE)


def test_archive__member_that_leaves_the_folder__is_refused(archive: Path, tmp_path: Path) -> None:
    rewrite(archive, **{"____/escaped": b"x"})
    with pytest.raises(BackupRefused, match="which its manifest does not name"):
        read_archive(archive, into=tmp_path / "out", passphrase=PASSPHRASE)
    assert not (tmp_path / "escaped").exists()


def test_archive__cut_short__is_refused(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:3000])
    with pytest.raises(BackupRefused):
        read_archive(archive, into=tmp_path / "out", passphrase=PASSPHRASE)


def test_archive__some_other_file__is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    with pytest.raises(BackupRefused, match="cannot be read as an archive"):
        read_archive(other, into=tmp_path / "out", passphrase=PASSPHRASE)


def test_passphrase__missing_without_a_terminal__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(BackupRefused, match=PASSPHRASE_VARIABLE):
        ask_passphrase({}, confirm=True)


def test_passphrase__too_short__is_refused() -> None:
    with pytest.raises(BackupRefused, match="at least 8 characters"):
        ask_passphrase({PASSPHRASE_VARIABLE: "short"}, confirm=True)
