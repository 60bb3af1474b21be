"""What the stack refuses to do, in words for the person who typed the command."""

from __future__ import annotations


class StackError(Exception):
    """A start, stop, backup or restore that cannot go on. ``str(error)`` is fit to be shown as it is."""


class MissingBinaries(StackError):
    """The wheel that carries a server's binaries is absent, or has none for this machine."""


class PostgresMajorMismatch(StackError):
    """The data directory was written by another PostgreSQL major version than the binaries at hand."""


class PortTaken(StackError):
    """Another process listens on the port that the web server needs."""


class BackupRefused(StackError):
    """A backup or a restore that would lose or mix data, or whose file cannot be trusted."""
