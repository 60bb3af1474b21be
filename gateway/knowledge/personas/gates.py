"""What must be satisfied before a document becomes a persona's next version: a registry, filled from above at start-up.

Rolling back passes no gate: what was published once must be within reach when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

# (persona_id, digest of the document); raises GatewayError to refuse.
Gate = Callable[[str, str], None]
_gates: list[Gate] = []


def register(gate: Gate) -> None:
    """Ask ``gate`` from now on; registering it twice is the same as once."""
    if gate not in _gates:
        _gates.append(gate)


def require(persona_id: str, digest: str) -> None:
    """Whether every gate lets the document through. Raises what the first that does not raises."""
    for gate in _gates:
        gate(persona_id, digest)
