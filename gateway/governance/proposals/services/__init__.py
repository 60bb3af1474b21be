"""Every write to a proposal, one file per part of its life."""

from gateway.governance.proposals.services.compensation import compensate
from gateway.governance.proposals.services.creation import create
from gateway.governance.proposals.services.decisions import approve, reject, retry, voter_of
from gateway.governance.proposals.services.execution import execute
from gateway.governance.proposals.services.resealing import reseal
from gateway.governance.proposals.services.upkeep import sweep

__all__ = ["approve", "compensate", "create", "execute", "reject", "reseal", "retry", "sweep", "voter_of"]
