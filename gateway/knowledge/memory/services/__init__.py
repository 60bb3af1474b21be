"""Every write to memories, one file per part of their life: a transaction each, audited, with events."""

from gateway.knowledge.memory.services.attention import pin, silence, unpin, unsilence
from gateway.knowledge.memory.services.correcting import correct
from gateway.knowledge.memory.services.creation import create, create_many, refusal
from gateway.knowledge.memory.services.forgetting import forget, restore
from gateway.knowledge.memory.services.reopening import reopen

__all__ = [
    "correct", "create", "create_many", "forget", "pin", "refusal", "reopen", "restore", "silence", "unpin",
    "unsilence",
]  # fmt: skip
