"""Secrets made once, kept in files of mode 0600. There is no default password anywhere."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """The files that the product reads its secrets from."""

    secret_key: Path
    keyring: Path
    demo_password: Path


def ensure_secret_files(directory: Path) -> SecretFiles:
    """Make what is missing in ``directory`` (mode 0700) and leave what is there alone; safe in parallel."""
    files = SecretFiles(directory / "secret_key", directory / "keyring.json", directory / "demo_password")
    _make_once(files.secret_key, lambda: secrets.token_urlsafe(64))
    _make_once(files.keyring, _new_keyring)
    _make_once(files.demo_password, lambda: secrets.token_urlsafe(15))
    return files


def _new_keyring() -> str:
    """``{"active": kid, "keys": {kid: base64 of 32 bytes}}``."""
    kid = f"k{secrets.token_hex(4)}"
    return json.dumps({"active": kid, "keys": {kid: base64.b64encode(secrets.token_bytes(32)).decode("ascii")}})


def _make_once(path: Path, content: Callable[[], str]) -> None:
    """Write ``path`` completely or not at all. Of two makers the slower one's link fails; the first's file counts."""
    if path.exists():
        path.chmod(0o600)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content())
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):  # the first one's file counts
            os.link(draft, path)
    finally:
        draft.unlink()
