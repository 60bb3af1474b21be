"""Why a decision or an execution is refused."""

from __future__ import annotations

from gateway.core.errors import Conflict, GatewayError, NotFound


class UnknownProposal(NotFound):
    default_code = "proposal_not_found"


class AlreadyDecided(Conflict):
    """Somebody decided otherwise before. ``extra`` has ``state``, ``decided_by`` and ``decided_at``."""

    default_code = "already_decided"


class ProposalExpired(Conflict):
    default_code = "proposal_expired"


class NotFailed(Conflict):
    """Only a failed proposal can be retried."""

    default_code = "proposal_not_failed"


class ExecutorNotConfigured(GatewayError):
    default_code = "executor_not_configured"


class NoAssertionWriter(GatewayError):
    """Every execution persists an assertion, and nothing is installed that writes one."""

    default_code = "assertion_writer_missing"
