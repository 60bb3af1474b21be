"""What can be wrong with a persona."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import BadRequest, Conflict, FieldProblem, Gone, NotFound, PaymentRequired
from gateway.knowledge.personas.types import Finding

# How many errors of a document a refusal tells.
MAX_TOLD = 200


class PersonaNotFound(NotFound):
    default_code = "persona_not_found"


class PersonaVersionNotFound(NotFound):
    default_code = "persona_version_not_found"


class PersonaArchived(Gone):
    """It answers no more, until it is restored."""

    default_code = "persona_archived"

    def __init__(self, persona_id: str) -> None:
        super().__init__(
            f"Persona {persona_id!r} was archived. Restore it (POST /v1/personas/{persona_id}/restore) or name another."
        )


class PersonaExists(Conflict):
    default_code = "persona_exists"


class VersionConflict(Conflict):
    """Somebody else published in between; ``extra`` has their version: who, when, and which fields they changed."""

    default_code = "version_conflict"


class DraftNotFound(NotFound):
    default_code = "draft_not_found"


class DraftConflict(Conflict):
    """Somebody else saved the draft in between; ``extra`` has who, when, and how theirs differs."""

    default_code = "draft_conflict"


class TooManyDrafts(Conflict):
    """Drafts of personas that were never published are full."""

    default_code = "draft_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"There are {limit} drafts of personas that were never published. Publish or delete one.",
            extra={"maximum": limit},
        )


class TemplateNotFound(NotFound):
    default_code = "persona_template_not_found"


class DigestMismatch(BadRequest):
    """The document is not the one that its digest was made of."""

    default_code = "digest_mismatch"


class SignatureInvalid(BadRequest):
    """The signature was not made over this document by the key it names."""

    default_code = "signature_invalid"


class PersonaLimitReached(PaymentRequired):
    """The plan's number of personas is used up."""

    default_code = "plan_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"All the personas that the plan includes ({limit}) are in use. Archive one, edit it, or change the plan.",
            extra={"limit": "personas", "maximum": limit},
        )


class InvalidCartridge(BadRequest):
    """The document breaks its schema or a lint rule; one problem per error, its code being the rule. Of very many the
    first are told, and ``errors_total`` in ``extra`` says how many there are."""

    default_code = "invalid_cartridge"

    def __init__(self, findings: Sequence[Finding]) -> None:
        problems = tuple(
            FieldProblem(f"#/cartridge{finding.pointer}", finding.rule, finding.message)
            for finding in findings[:MAX_TOLD]
        )
        super().__init__(
            "; ".join(f"{p.pointer.removeprefix('#/')}: {p.message}" for p in problems[:5]) + ".",
            problems=problems,
            extra={"errors_total": len(findings)} if len(findings) > MAX_TOLD else None,
        )
