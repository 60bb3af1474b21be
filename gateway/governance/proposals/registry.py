"""Who carries out which type of proposal, and who writes the assertion. Slices above register theirs when Django
starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from gateway.core.errors import FieldProblem
from gateway.governance.proposals.reach import Reach
from gateway.governance.proposals.types import Draft, Effect, Proposal

AssertionWriter = Callable[[Proposal], str]
AssertionRetractor = Callable[[Proposal], None]
_executors: dict[str, Executor] = {}
_FORMATS = FormatChecker(formats=())
_assertion_writer: AssertionWriter | None = None
_assertion_retractor: AssertionRetractor | None = None


@dataclass(frozen=True, slots=True)
class External:
    """How a type is carried out on somebody else's server.

    ``prepare`` reads what the call needs (address, sealed secret) inside the organization's scope; ``call`` and
    ``undo`` then run on the event loop with no database connection held, are given what ``prepare`` returned, and may
    be repeated after a crash: they use the proposal's id as idempotency key, or look first whether the effect is there
    already. An UpstreamError that ``passing`` says is passing is tried again by itself. ``look`` reads what is there
    now, for the diff; it changes nothing.
    """

    prepare: Callable[[Proposal], Any]
    call: Callable[[Proposal, Any], Awaitable[Effect]]
    undo: Callable[[Proposal, Any], Awaitable[dict[str, Any]]] | None = None
    look: Callable[[Proposal, Any], Awaitable[dict[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """How one type is checked, previewed, carried out and taken back.

    ``schema`` is the payload's JSON Schema (2020-12). A type has either ``run`` or ``external``. ``run`` works on the
    database alone, inside the transaction that also changes the proposal's state: whatever it raises undoes its
    effect, and the proposal ends ``failed`` (with a GatewayError's own code). ``diff`` previews the change against
    what is, from the database alone, as far as a reader's reach goes. ``inline`` says that it is quick enough
    to run while the approving request waits. ``undo`` takes back what ``run`` did, in one transaction with the record
    of it, and returns what it came to.

    ``check`` raises a BadRequest for a draft that fits the schema and could still never be carried out, its problems'
    pointers into the payload. ``collection`` names the memory scope that it writes to, which is else that of its
    source, where its assertion goes. ``permit`` raises Forbidden when the effect would go beyond the reach of whoever
    decides, which the proposal carries. ``withdrawn`` names what of the result is kept no longer than the effect.
    """

    type: str
    schema: dict[str, Any]
    run: Callable[[Proposal], Effect] | None = None
    diff: Callable[[Draft, Reach], dict[str, Any]] | None = None
    inline: bool = True
    external: External | None = None
    undo: Callable[[Proposal], dict[str, Any]] | None = None
    check: Callable[[Draft], None] | None = None
    collection: Callable[[Draft], str | None] | None = None
    permit: Callable[[Proposal], None] | None = None
    withdrawn: tuple[str, ...] = ()

    @property
    def reversible(self) -> bool:
        """Whether what was carried out can be taken back."""
        return self.undo is not None or (self.external is not None and self.external.undo is not None)

    def problems(self, payload: dict[str, Any]) -> tuple[FieldProblem, ...]:
        """What is wrong with a payload, by JSON pointer; empty when it fits."""
        found = sorted(
            Draft202012Validator(self.schema, format_checker=_FORMATS).iter_errors(payload),
            key=lambda error: (error.json_path, str(error.validator)),
        )
        return tuple(
            FieldProblem(
                "#/payload" + "".join(f"/{_token(part)}" for part in error.absolute_path),
                str(error.validator),
                error.message[:500],
            )
            for error in found
        )


def register(executor: Executor) -> None:
    """Install the executor of a type; registering the same one again changes nothing. Raises for a second one, a bad
    schema, or one that says nothing of how it works.
    """
    known = _executors.get(executor.type)
    if known is not None and known != executor:
        raise RuntimeError(f"Two executors for proposals of type {executor.type!r}.")
    if (executor.run is None) == (executor.external is None):
        raise RuntimeError(f"The executor of {executor.type!r} needs run or external, and not both.")
    Draft202012Validator.check_schema(executor.schema)
    _executors[executor.type] = executor


def find(kind: str) -> Executor | None:
    """The executor of a type, or None when none is configured."""
    return _executors.get(kind)


def types() -> tuple[str, ...]:
    """The types that can be carried out here."""
    return tuple(sorted(_executors))


def runs_inline(kind: str) -> bool:
    """Whether this type may be carried out while the request waits (one without executor fails at once)."""
    executor = _executors.get(kind)
    return executor is None or executor.inline


def external(kind: str) -> External | None:
    """How this type is carried out elsewhere; None for one that needs the database alone."""
    executor = _executors.get(kind)
    return executor.external if executor is not None else None


def set_assertion_writer(write: AssertionWriter, retract: AssertionRetractor | None = None) -> None:
    """Install what persists an assertion, with the proposal as its provenance, for effects that are none themselves,
    and what retracts it when the effect is taken back."""
    global _assertion_writer, _assertion_retractor
    _assertion_writer, _assertion_retractor = write, retract


def assertion_writer() -> AssertionWriter | None:
    return _assertion_writer


def assertion_retractor() -> AssertionRetractor | None:
    return _assertion_retractor


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    """A moment as execution will read it, which takes no other spelling and none without an offset."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _token(part: str | int) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")
