"""How passwords are hashed."""

from __future__ import annotations

import ctypes
import sys

from django.contrib.auth.hashers import Argon2PasswordHasher

_M_MMAP_THRESHOLD = -3
_LARGE = 1024 * 1024


class Argon2id(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane (OWASP's recommendation).

    Django's own default takes 100 MiB a hash: four sign-ins at once would need more than a web process may use.
    """

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1


def _give_back_what_a_hash_took() -> None:
    """Keep large blocks out of glibc's arenas. By itself it learns to keep them there once one was freed, and every
    thread that hashed a password would hold on to its 19 MiB for ever."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library has no such function, nor such habit
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE)


_give_back_what_a_hash_took()
