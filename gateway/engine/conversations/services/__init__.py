"""Writes of conversations: begin, take up, keep what was said, let it go."""

from gateway.engine.conversations.services.pinning import begin, take_up
from gateway.engine.conversations.services.removal import delete, erase, retain
from gateway.engine.conversations.services.turns import append_turn, reseal

__all__ = ["append_turn", "begin", "delete", "erase", "reseal", "retain", "take_up"]
