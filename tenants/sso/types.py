"""What the rest of the code knows of connections, domains and what an identity provider says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.core import ids
from tenants.types import OrgRef

# An identity provider may fill these; owners and admins are made by people.
DEFAULT_ROLES = ("developer", "reviewer", "billing", "viewer")
FEATURE = "sso"


@dataclass(frozen=True, slots=True)
class Connection:
    """One organization's connection without its secret. ``settings`` by kind:

    * oidc: ``issuer``, ``client_id``, ``require_email_verified``
    * saml: ``entity_id``, ``sso_url``, ``certificates`` (PEM), ``metadata_url``, ``email_attribute``,
      ``name_attribute``
    """

    id: UUID
    ref: OrgRef
    slug: str
    name: str
    kind: str
    settings: dict[str, Any]
    has_secret: bool
    state: str
    config_hash: str
    tested_config_hash: str
    last_test: dict[str, Any] | None
    break_glass_user_id: UUID | None
    default_role: str
    created_at: datetime
    updated_at: datetime

    @property
    def public_id(self) -> str:
        return ids.public("sso", self.id)

    @property
    def provider_id(self) -> str:
        """Names this connection *to this identity provider*: accounts linked through another one stay its own."""
        return provider_id(self.id, self.kind, self.settings)

    @property
    def signs_in(self) -> bool:
        return self.state in ("tested", "enforced")


def provider_id(connection_id: UUID, kind: str, settings: dict[str, Any]) -> str:
    who = settings.get("issuer") or settings.get("entity_id") or ""
    digest = hashlib.sha256(f"{kind}\n{who}".encode()).hexdigest()[:16]
    return f"{ids.public('sso', connection_id)}.{digest}"


@dataclass(frozen=True, slots=True)
class Domain:
    """A mail domain that an organization claims or has proved."""

    id: UUID
    domain: str
    token: str
    verified_at: datetime | None
    created_at: datetime

    @property
    def public_id(self) -> str:
        return ids.public("dom", self.id)

    @property
    def record_name(self) -> str:
        return f"_ikiro-challenge.{self.domain}"

    @property
    def record_value(self) -> str:
        return f"ikiro-verify={self.token}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What every worker holds of a connection: by whom sessions must have been opened, and who is excepted."""

    org_id: UUID
    provider: str
    enforced: bool
    break_glass_user_id: UUID | None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an identity provider said of a person, after its signature, issuer, audience and times were checked.

    ``email_verified`` is None when it did not say. ``claims`` are for showing in a test.
    """

    uid: str
    email: str
    email_verified: bool | None
    name: str
    claims: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a sign-in carries from its start to its end, kept in the browser's session.

    ``challenge`` binds the one-time code to whoever began; ``test`` is the id of a test, which signs nobody in.
    """

    config_hash: str
    next: str = ""
    challenge: str = ""
    test: str = ""
    tested_by: str = ""
    nonce: str = ""
