"""People on the wire: tokens, organizations of one's own, members, invitations, permissions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from gateway.core import ids
from tenants.people.invitations import Invitation
from tenants.people.members import Member
from tenants.people.organizations import Mine
from tenants.types import Organization

RoleName = Literal["owner", "admin", "developer", "reviewer", "billing", "viewer"]


def _shown(*values: str) -> Any:
    """What an answer says of a value that is one of these."""
    return Field(json_schema_extra={"enum": list(values)})


RoleOut = Annotated[str, _shown("owner", "admin", "developer", "reviewer", "billing", "viewer")]
_InvitationState = Annotated[str, _shown("pending", "accepted", "revoked", "expired")]
_Slug = Annotated[str, Field(min_length=1, max_length=40)]
_Email = Annotated[str, Field(min_length=3, max_length=254)]


class Strict(Schema):
    model_config = ConfigDict(extra="forbid")


class TokenIn(Strict):
    """``organization``: the slug that the token is for; null for one's own affairs alone."""

    organization: _Slug | None = None


class PersonOut(Schema):
    id: str
    email: str
    name: str


class TokenOrganizationOut(Schema):
    id: str
    slug: str
    name: str
    plan: str
    role: RoleOut


class TokenOut(Schema):
    """A token for ``Authorization: Bearer``; ``expires_in`` is in seconds."""

    token: str
    token_type: Literal["Bearer"]
    expires_at: datetime
    expires_in: int
    user: PersonOut
    organization: TokenOrganizationOut | None


class AccountIn(Strict):
    name: str = Field(max_length=120)


class AccountDeleteIn(Strict):
    """``password`` may be left out within five minutes of the last sign-in or re-authentication."""

    password: str | None = Field(None, max_length=1_000)


class AccountDeletedOut(Schema):
    deleted: str


class PermissionsOut(Schema):
    """``role`` is null for a key. ``why`` has a line for every action that is false."""

    role: RoleOut | None
    scopes: list[str]
    actions: dict[str, bool]
    why: dict[str, str]


class OrganizationIn(Strict):
    """Without ``slug`` one is made of the name."""

    name: str = Field(min_length=1, max_length=80, pattern=r"\S")
    slug: str | None = Field(None, min_length=1, max_length=40)


class StepOut(Schema):
    name: str
    done: bool


class OrganizationOut(Schema):
    """One of the caller's organizations; ``role`` is the caller's. ``failure`` says why building it does not get on."""

    id: str
    slug: str
    name: str
    plan: str
    state: Annotated[str, _shown("provisioning", "ready", "failed")]
    suspended: bool
    role: RoleOut
    steps: list[StepOut]
    failure: str | None
    created_at: datetime

    @classmethod
    def of(cls, mine: Mine) -> OrganizationOut:
        made = mine.organization
        return cls(
            id=made.ref.public_id,
            slug=made.slug,
            name=made.name,
            plan=made.plan,
            state=made.state,
            suspended=made.suspended_at is not None,
            role=mine.role,
            steps=[StepOut(name=name, done=done) for name, done in mine.steps],
            failure=mine.failure,
            created_at=made.created_at,
        )


class OrganizationPageOut(Schema):
    data: list[OrganizationOut]
    next_cursor: str | None


class MemberOut(Schema):
    """``mfa``: has a second factor. ``keys`` counts the working keys that the person answers for."""

    user_id: str
    email: str
    name: str
    role: RoleOut
    joined_at: datetime
    mfa: bool
    last_seen_at: datetime | None
    keys: int

    @classmethod
    def of(cls, member: Member) -> MemberOut:
        return cls(
            user_id=ids.public("usr", member.user_id),
            email=member.email,
            name=member.name,
            role=member.role,
            joined_at=member.joined_at,
            mfa=member.mfa,
            last_seen_at=member.last_seen_at,
            keys=member.keys,
        )


class MemberPageOut(Schema):
    data: list[MemberOut]
    next_cursor: str | None


class MemberIn(Strict):
    role: RoleName


class RemovedOut(Schema):
    """Who is a member no longer, and who answers for their keys now."""

    removed: str
    keys_handed_over: int
    to: str | None


class InvitationsIn(Strict):
    emails: list[_Email] = Field(min_length=1, max_length=50)
    role: RoleName


class InvitationOut(Schema):
    """``url`` is there once, in the answer that makes it. With ``error`` nothing was made for this address."""

    id: str | None
    email: str
    role: RoleOut
    state: _InvitationState | None
    expires_at: datetime | None
    url: str | None
    created_at: datetime | None
    invited_by: str | None
    error: Annotated[str, _shown("already_member")] | None

    @classmethod
    def of(cls, invitation: Invitation) -> InvitationOut:
        return cls(
            id=ids.public("inv", invitation.id) if invitation.id else None,
            email=invitation.email,
            role=invitation.role,
            state=invitation.state,
            expires_at=invitation.expires_at,
            url=invitation.url,
            created_at=invitation.created_at,
            invited_by=ids.public("usr", invitation.invited_by) if invitation.invited_by else None,
            error=invitation.error,
        )


class InvitationsOut(Schema):
    data: list[InvitationOut]


class InvitationPageOut(Schema):
    data: list[InvitationOut]
    next_cursor: str | None


class InvitingOut(Schema):
    name: str
    slug: str


class InvitedOut(Schema):
    organization: InvitingOut
    email: str
    role: RoleOut
    state: _InvitationState | None
    expires_at: datetime | None

    @classmethod
    def of(cls, invitation: Invitation, organization: Organization) -> InvitedOut:
        return cls(
            organization=InvitingOut(name=organization.name, slug=organization.slug),
            email=invitation.email,
            role=invitation.role,
            state=invitation.state,
            expires_at=invitation.expires_at,
        )


class AcceptIn(Strict):
    token: str = Field(min_length=1, max_length=200)


class AcceptedOut(Schema):
    organization: TokenOrganizationOut
    role: RoleOut
