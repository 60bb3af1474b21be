"""Which function runs which kind of operation. Slices register theirs when their modules are imported at start-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID


class OperationRun(Protocol):
    """What a runner is given: what to do, how far an earlier run came, and how to say that a step is done."""

    @property
    def id(self) -> UUID: ...

    @property
    def payload(self) -> dict[str, Any]: ...

    @property
    def done(self) -> int:
        """Steps that are finished, by this run or an earlier one that was lost."""

    @property
    def total(self) -> int | None: ...

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """What the last ``advance`` stored, for a run that continues after a crash."""

    def advance(self, done: int, *, total: int | None = None, checkpoint: dict[str, Any] | None = None) -> None:
        """Store the progress and keep the lease. Raises Cancelled when asked to stop, LeaseLost when replaced; let
        both through.
        """


Runner = Callable[[OperationRun], dict[str, Any] | None]
_runners: dict[str, Runner] = {}


def runner(kind: str) -> Callable[[Runner], Runner]:
    """Register the function that runs operations of ``kind``; its return value becomes the operation's ``result``."""

    def register(work: Runner) -> Runner:
        if _runners.get(kind, work) is not work:
            raise RuntimeError(f"Two runners for operations of kind {kind!r}.")
        _runners[kind] = work
        return work

    return register


def find(kind: str) -> Runner | None:
    """The runner of a kind, or None."""
    return _runners.get(kind)
