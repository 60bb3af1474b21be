"""Shapes of export and import."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, model_validator

from gateway.core.wire import Flag
from gateway.knowledge.personas.exchange import Exported, Imported, Signature
from gateway.knowledge.personas.formats import Format
from gateway.knowledge.personas.lint import Verdict
from gateway.knowledge.personas.schemas.lint import FindingOut

ImportWhy = Literal["not_asked", "unsigned", "unknown_signer", "has_errors"]


class CartridgeSignature(Schema):
    """Ed25519 over the text ``ikiro persona cartridge v1``, a line feed and the document's canonical JSON. ``kid`` is
    the thumbprint (RFC 7638) of ``public_key``; both it and ``value`` are base64url."""

    model_config = ConfigDict(extra="forbid")
    algorithm: Literal["Ed25519"] = "Ed25519"
    kid: str = Field(max_length=64)
    public_key: str = Field(max_length=64)
    value: str = Field(max_length=128)

    def inner(self) -> Signature:
        return Signature(self.kid, self.public_key, self.value)


class PersonaExportOut(Schema):
    """A version to take away. ``carried`` are pointers of what the document holds and a reader of that format passes
    by; ``digest`` is SHA-256 over the document's canonical JSON."""

    id: str
    version: int
    format: Format
    cartridge: dict[str, Any]
    digest: str
    carried: list[str]
    signature: CartridgeSignature | None

    @classmethod
    def of(cls, exported: Exported) -> PersonaExportOut:
        signed = exported.signature
        shown = CartridgeSignature(kid=signed.kid, public_key=signed.public_key, value=signed.value) if signed else None
        return cls(
            id=exported.version.persona_id, version=exported.version.version, format=exported.format,
            cartridge=exported.raw, digest=exported.digest, carried=list(exported.carried),
            signature=shown,
        )  # fmt: skip


class ImportPersonaIn(Schema):
    """A document to take in, with what proves that it is unchanged."""

    model_config = ConfigDict(extra="forbid")
    cartridge: dict[str, Any] = Field(description="A Cartridge document, 1.1 or 1.2.")
    digest: str | None = Field(None, max_length=80, description="`sha256:…`, as the export gave it.")
    signature: CartridgeSignature | None = None
    as_id: str | None = Field(None, max_length=64, description="Take it in under this id.")
    publish: Flag = Field(False, description="Publish it at once, if this installation signed it.")
    update: Flag = Field(False, description="Keep it as the draft of the next version of a persona that is there.")

    @model_validator(mode="after")
    def _one_way(self) -> ImportPersonaIn:
        if self.publish and self.update:
            raise ValueError("publish goes with a new persona; what is an update becomes a draft")
        return self


class PersonaImportOut(Schema):
    """What became of it. ``why`` says why it is a draft: publishing was ``not_asked``; it is ``unsigned``; its
    signature is sound and by an ``unknown_signer``; or it ``has_errors``, which ``findings`` tell."""

    id: str
    state: Literal["draft", "published"]
    version: int | None
    revision: int | None
    digest: str
    signed_by: str | None
    why: ImportWhy | None
    findings: list[FindingOut]
    more_findings: int

    @classmethod
    def of(cls, imported: Imported, verdict: Verdict) -> PersonaImportOut:
        version, draft = imported.version, imported.draft
        return cls.model_validate(
            {
                "id": version.persona_id if version else draft and draft.persona_id,
                "state": "published" if version else "draft",
                "version": version and version.version,
                "revision": draft and draft.revision,
                "digest": imported.digest,
                "signed_by": imported.signed_by,
                "why": imported.why,
                "findings": [FindingOut.of(finding) for finding in verdict.findings],
                "more_findings": verdict.more,
            }
        )
