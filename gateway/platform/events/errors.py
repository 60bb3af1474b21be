"""The slice's one failure of its own."""

from __future__ import annotations


class EventContractError(RuntimeError):
    """Code emitted an event that the catalogue does not know, or with a payload that its schema refuses."""
