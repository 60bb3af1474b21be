"""The archive file: a tar of a manifest, sealed secrets, and members whose sizes and hashes the manifest names."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from ikiro.stack.errors import BackupRefused
from ikiro.stack.vault import seal, unseal

FORMAT = 1
_MANIFEST = "manifest.json"
_SECRETS = "secrets.sealed"


@dataclass(frozen=True, slots=True)
class Organization:
    """The one organization that an archive holds; ``schema`` is its PostgreSQL schema."""

    id: str
    slug: str
    schema: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds. ``members`` maps names to their size and SHA-256; times are ISO 8601 in UTC."""

    kind: str  # "everything" or "organization"
    created_at: str
    product_version: str
    postgres_major: int
    organization: Organization | None
    valkey: bool
    members: dict[str, dict[str, str | int]]
    format: int = FORMAT


def describe_members(folder: Path) -> dict[str, dict[str, str | int]]:
    """Size and hash of every regular file below ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
    }


def write_archive(
    target: Path, *, folder: Path, manifest: Manifest, secrets: Mapping[str, bytes], passphrase: str
) -> None:
    """Write the members in ``folder`` as ``target`` (mode 0600), completely or not at all."""
    draft = target.with_name(f".{target.name}.partial")
    manifest_bytes = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
    heads = {_MANIFEST: manifest_bytes, _SECRETS: seal(secrets, passphrase=passphrase, manifest=manifest_bytes)}
    own = folder.parent / "heads"
    own.mkdir(mode=0o700)
    draft.touch(mode=0o600)
    try:
        with tarfile.open(draft, "w") as tar:
            for name, content in heads.items():
                (own / name).write_bytes(content)
                tar.add(own / name, name)
            for name in manifest.members:
                tar.add(folder / name, name, recursive=False)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def read_archive(source: Path, *, into: Path, passphrase: str) -> tuple[Manifest, dict[str, bytes]]:
    """Check an archive and unpack its members into ``into``; the manifest and the secret files.

    Raises BackupRefused when anything is missing, surplus or changed. Nothing is written outside ``into``.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            manifest_bytes, envelope = _read(tar, _MANIFEST), _read(tar, _SECRETS)
            manifest = _parse(manifest_bytes)
            secrets = unseal(envelope, passphrase=passphrase, manifest=manifest_bytes)
            for entry in tar.getmembers():
                if entry.name not in {_MANIFEST, _SECRETS}:
                    _unpack(tar, entry, manifest=manifest, into=into)
    except (OSError, tarfile.TarError) as error:
        raise BackupRefused(f"{source} cannot be read as an archive: {error}") from error
    missing = [name for name in manifest.members if not (into / name).is_file()]
    if missing:
        raise BackupRefused(f"The archive lacks {', '.join(missing)}.")
    return manifest, secrets


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise BackupRefused(f"This is no archive of this product: it has no {name}.")
    return file.read(16 * 1024 * 1024)


def _parse(content: bytes) -> Manifest:
    try:
        fields = json.loads(content)
        if fields["format"] != FORMAT:
            raise BackupRefused(f"The archive has format {fields['format']}; this release reads format {FORMAT}.")
        organization = Organization(**fields.pop("organization")) if fields["organization"] else None
        return Manifest(**{"organization": organization, **fields})
    except (ValueError, KeyError, TypeError) as error:
        raise BackupRefused("The archive's manifest cannot be read.") from error


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, *, manifest: Manifest, into: Path) -> None:
    path = PurePosixPath(entry.name)
    expected = manifest.members.get(entry.name)
    content = tar.extractfile(entry) if entry.isreg() else None
    if expected is None or content is None or path.is_absolute() or ".." in path.parts:
        raise BackupRefused(f"The archive holds {entry.name!r}, which its manifest does not name.")
    target = into / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := content.read(1024 * 1024):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != expected["sha256"]:
        raise BackupRefused(f"{entry.name} in the archive is damaged.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
