"""Why a decision or an execution is refused."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, GatewayError, Gone, NotFound


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


class NotExecuted(Conflict):
    """Only what was carried out can be taken back. ``extra`` has ``state``."""

    default_code = "proposal_not_executed"


class NotReversible(Conflict):
    """What this type does elsewhere, or did here, cannot be taken back."""

    default_code = "not_reversible"


class InvalidProposal(BadRequest):
    """A draft that does not fit its type; ``problems`` says where."""

    default_code = "invalid_proposal"


class UnknownType(InvalidProposal):
    """A draft of a type that nobody here carries out."""

    default_code = "unknown_type"


class SubjectMissing(BadRequest):
    """Every executed proposal leaves an assertion about its subject, and this one names none."""

    default_code = "subject_missing"


class EffectFailed(GatewayError):
    """A server said no to what we asked of it. ``passing``: it may well say yes in a moment."""

    default_code = "effect_refused"

    def __init__(self, detail: str, *, code: str, passing: bool = False) -> None:
        super().__init__(detail, code=code)
        self.passing = passing


class UnknownRule(NotFound):
    default_code = "rule_not_found"


class TooManyRules(Conflict):
    default_code = "too_many_rules"


class UnknownTarget(NotFound):
    default_code = "write_target_not_found"


class InvalidTarget(BadRequest):
    default_code = "invalid_write_target"


class TooManyTargets(Conflict):
    default_code = "too_many_write_targets"


class NoTarget(BadRequest):
    """The proposal names no target that the organization has, or none that its policy allows."""

    default_code = "write_target_missing"


class NoDraft(NotFound):
    """The proposal is no e-mail draft, or not carried out yet."""

    default_code = "email_draft_not_found"


class DraftGone(Gone):
    default_code = "draft_discarded"
