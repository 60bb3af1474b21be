"""Who carries out which type of proposal, and who writes the assertion. Slices above register theirs when Django
starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from gateway.core.errors import FieldProblem
from gateway.governance.proposals.types import Draft, Effect, Proposal

AssertionWriter = Callable[[Proposal], str]
_executors: dict[str, Executor] = {}
_assertion_writer: AssertionWriter | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """How one type is checked, previewed and carried out.

    ``schema`` is the payload's JSON Schema (2020-12). ``run`` works on the database alone, inside the transaction
    that also changes the proposal's state: whatever it raises undoes its effect, and the proposal ends ``failed``
    (with a GatewayError's own code). ``diff`` previews the change against what is. ``inline`` says that it is quick
    enough to run while the approving request waits.
    """

    type: str
    schema: dict[str, Any]
    run: Callable[[Proposal], Effect]
    diff: Callable[[Draft], dict[str, Any]] | None = None
    inline: bool = True

    def problems(self, payload: dict[str, Any]) -> tuple[FieldProblem, ...]:
        """What is wrong with a payload, by JSON pointer; empty when it fits."""
        found = sorted(
            Draft202012Validator(self.schema).iter_errors(payload),
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
    """Install the executor of a type; registering the same one again changes nothing. Raises for a second one or a bad
    schema.
    """
    known = _executors.get(executor.type)
    if known is not None and known != executor:
        raise RuntimeError(f"Two executors for proposals of type {executor.type!r}.")
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


def set_assertion_writer(write: AssertionWriter) -> None:
    """Install what persists an assertion, with the proposal as its provenance, for effects that are none themselves."""
    global _assertion_writer
    _assertion_writer = write


def assertion_writer() -> AssertionWriter | None:
    return _assertion_writer


def _token(part: str | int) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")
