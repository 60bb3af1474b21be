"""Taking cartridges out and in: a document with its digest and, when asked for, a detached signature.

The signature is Ed25519 by the installation's key (the one that signs receipts; its public half is at
``/.well-known/ikiro-receipts.json``), over ``PURPOSE`` and the canonical JSON of the document as it was exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core.journal import Actor
from gateway.knowledge.personas import drafts, lint, selectors, services
from gateway.knowledge.personas.errors import (
    DigestMismatch,
    InvalidCartridge,
    SignatureInvalid,
)
from gateway.knowledge.personas.formats import Format, canonical, convert, digest, to_1_2
from gateway.knowledge.personas.types import Draft, PersonaVersion
from gateway.platform.receipts import selectors as receipts
from gateway.platform.receipts import signing

# What is signed begins with this, so that no signature of a receipt is ever one of a cartridge.
PURPOSE = b"ikiro persona cartridge v1\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached Ed25519 signature. ``kid`` is the thumbprint (RFC 7638) of the public key; both other parts are
    base64url."""

    kid: str
    public_key: str
    value: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A version as it leaves. ``carried`` are pointers of what a reader of that format passes by."""

    version: PersonaVersion
    format: Format
    raw: dict[str, Any]
    digest: str
    carried: tuple[str, ...]
    signature: Signature | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a document: a published version, or a draft and why it is only that (``not_asked``,
    ``unsigned``, ``unknown_signer``, ``has_errors``)."""

    version: PersonaVersion | None
    draft: Draft | None
    digest: str
    signed_by: str | None
    why: str | None

    @property
    def raw(self) -> dict[str, Any]:
        """The document as it is kept."""
        kept = self.version or self.draft
        return kept.raw if kept is not None else {}


def export(persona_id: str, number: int | None, *, form: Format, sign: bool) -> Exported:
    """A version (None: the current one) in a format. Raises PersonaNotFound, PersonaVersionNotFound."""
    version = selectors.version(persona_id, selectors.get(persona_id).current_version if number is None else number)
    converted = convert(version.raw, form)
    signature = _signed(converted.raw) if sign else None
    return Exported(version, form, converted.raw, digest(converted.raw), converted.carried, signature)


def take_in(
    raw: dict[str, Any],
    *,
    given_digest: str | None,
    signature: Signature | None,
    as_id: str | None,
    publish: bool,
    update: bool = False,
    limit: int | None,
    actor: Actor,
    request_id: UUID | None = None,
) -> Imported:
    """Take a document in as a draft, or, when this installation signed it and ``publish`` asks for it, as the first
    version of a new persona. ``as_id`` gives it another id. With ``update`` (and no ``publish``) the id may be a
    persona's: the document becomes its draft.

    Raises InvalidCartridge for what cannot be kept at all, DigestMismatch, SignatureInvalid, PersonaExists,
    PersonaLimitReached, and with ``update`` PersonaArchived, and DraftConflict where there is a draft; then nothing is
    kept.
    """
    drafts.refuse_unkeepable(raw)
    found = digest(raw)
    if given_digest is not None and given_digest != found:
        raise DigestMismatch(
            f"The document's digest is {found}, not {given_digest}: it was changed after it was exported.",
            extra={"digest": found},
        )  # fmt: skip
    trusted = signature is not None and _verified(raw, signature)
    document = to_1_2(raw).raw
    if as_id is not None:
        document = {**document, "id": as_id}
    persona_id = document.get("id")
    if not isinstance(persona_id, str):
        raise InvalidCartridge(lint.errors(lint.check(document)))
    why = _why_not(document, signature, trusted=trusted, publish=publish)
    made_from = f"import:{found}"
    with transaction.atomic():
        services.one_at_a_time()
        if not update:
            drafts.refuse_taken(persona_id)
        signed_by = signature.kid if signature else None
        if why is None:
            version = services.create(
                document, limit=limit, actor=actor, request_id=request_id, made_from=made_from
            )  # fmt: skip
            return Imported(version, None, found, signed_by, None)
        draft = drafts.save(
            persona_id, document, expected_revision=0, actor=actor, request_id=request_id, made_from=made_from
        )
        return Imported(None, draft, found, signed_by, why)


def _why_not(document: dict[str, Any], signature: Signature | None, *, trusted: bool, publish: bool) -> str | None:
    """Why a document is taken in as a draft only; None when it may be published at once."""
    if not publish:
        return "not_asked"
    if signature is None:
        return "unsigned"
    if not trusted:
        return "unknown_signer"
    return "has_errors" if lint.errors(lint.check(document)) else None


def _signed(raw: dict[str, Any]) -> Signature:
    kid, public_key = signing.active_key()
    value = signing.sign(PURPOSE + canonical(raw))
    return Signature(kid, signing.encoded(public_key), signing.encoded(value))


def _verified(raw: dict[str, Any], given: Signature) -> bool:
    """Whether the signer is this installation. Raises SignatureInvalid for a signature that is not by the key it names
    over this document."""
    try:
        public_key, value = signing.decoded(given.public_key), signing.decoded(given.value)
    except ValueError:
        raise SignatureInvalid("The signature is not base64url.") from None
    if signing.thumbprint(public_key) != given.kid:
        raise SignatureInvalid("The signature's kid is not the thumbprint of its public key.")
    if not signing.is_genuine(PURPOSE + canonical(raw), value, public_key):
        raise SignatureInvalid("The signature is not over this document: it was changed after it was signed.")
    return given.kid == signing.active_key()[0] or receipts.public_key(given.kid) is not None
