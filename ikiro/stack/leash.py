"""A short program between the supervisor and a process it starts: "end when your starter ends", then exec.

Run by path with ``python -I -S``, it costs about 15 ms and replaces ``preexec_fn``, which is unsafe beside threads.
Linux sends the signal when the *thread* that started the process ends, so start from one that lives as long as you.
Elsewhere only the change of user and the exec happen.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def leashed(argv: list[str], *, number: signal.Signals, user: int | None = None, group: int | None = None) -> list[str]:
    """``argv`` as a command that gets ``number`` when this process dies, even by SIGKILL; optionally as another uid."""
    own = [str(int(number)), str(os.getpid()), str(-1 if user is None else user), str(-1 if group is None else group)]
    return [sys.executable, "-I", "-S", __file__, *own, *argv]


def main(arguments: list[str]) -> None:
    """``SIGNAL PARENT UID GID PROGRAM ARGUMENT…``; never returns."""
    number, parent, user, group = (int(text) for text in arguments[:4])
    if group >= 0:
        os.setgroups([])
        os.setgid(group)
    if user >= 0:
        os.setuid(user)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)  # last: a change of user clears it
        if os.getppid() != parent:  # the parent died before we got here
            sys.exit(1)
    os.execvp(arguments[4], arguments[4:])  # noqa: S606 - our own command line, no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
