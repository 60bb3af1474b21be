"""Secrets inside an archive: scrypt turns a passphrase into a key, AES-256-GCM seals, the manifest is authenticated."""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import os
import sys
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ikiro.stack.errors import BackupRefused

PASSPHRASE_VARIABLE = "IKIRO_BACKUP_PASSPHRASE"  # noqa: S105 - a name, not a secret
LEAST_LENGTH = 8
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}  # 32 MB and about 0.1 s per guess


def ask_passphrase(environ: Mapping[str, str], *, confirm: bool) -> str:
    """The passphrase from the environment, else from the terminal; raises BackupRefused without one."""
    given = environ.get(PASSPHRASE_VARIABLE)
    if given is None:
        if not sys.stdin.isatty():
            raise BackupRefused(f"The secrets in an archive are encrypted: set {PASSPHRASE_VARIABLE}.")
        given = getpass.getpass("Passphrase for the archive: ")
        if confirm and getpass.getpass("The same again: ") != given:
            raise BackupRefused("The two passphrases differ.")
    if len(given) < LEAST_LENGTH:
        raise BackupRefused(f"The passphrase needs at least {LEAST_LENGTH} characters.")
    return given


def seal(files: Mapping[str, bytes], *, passphrase: str, manifest: bytes) -> bytes:
    """Encrypt named files. ``manifest`` is bound to the result: opening fails if one byte of it changes."""
    plain = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()}).encode()
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_key(passphrase, salt=salt, **_SCRYPT)).encrypt(nonce, plain, manifest)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    return json.dumps({**_SCRYPT, **{name: base64.b64encode(part).decode() for name, part in parts.items()}}).encode()


def unseal(envelope: bytes, *, passphrase: str, manifest: bytes) -> dict[str, bytes]:
    """The files of ``seal``; raises BackupRefused for a wrong passphrase or a changed archive."""
    try:
        parts = json.loads(envelope)
        cost = {name: int(parts[name]) for name in _SCRYPT}
        salt, nonce, sealed = (base64.b64decode(parts[name]) for name in ("salt", "nonce", "sealed"))
        if cost["n"] > 2**20 or cost["r"] > 32 or cost["p"] > 16:
            raise ValueError("unreasonable cost")
        plain = AESGCM(_key(passphrase, salt=salt, **cost)).decrypt(nonce, sealed, manifest)
        return {name: base64.b64decode(content) for name, content in json.loads(plain).items()}
    except InvalidTag as error:
        raise BackupRefused("The passphrase is wrong, or the archive was changed.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupRefused("The archive's secrets cannot be read.") from error


def _key(passphrase: str, *, salt: bytes, n: int, r: int, p: int) -> bytes:
    memory = 128 * n * r * p + 2**22
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)
