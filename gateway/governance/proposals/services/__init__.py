"""Every write to a proposal, one file per part of its life."""

from gateway.governance.proposals.services.creation import create
from gateway.governance.proposals.services.decisions import approve, reject, retry
from gateway.governance.proposals.services.execution import execute
from gateway.governance.proposals.services.upkeep import sweep

__all__ = ["approve", "create", "execute", "reject", "retry", "sweep"]
