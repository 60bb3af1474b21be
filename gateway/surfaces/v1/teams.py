"""`/v1/teams`: names for parts of an organization. Beside the slice because what names a team is in several."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AfterValidator, ConfigDict

from gateway.core import pagination
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.core.journal import Actor
from gateway.governance.access import teams
from gateway.governance.access.errors import TeamInUse
from gateway.governance.access.teams import Team
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import services as overlays
from gateway.governance.policies.types import Level, Mode
from gateway.knowledge.subjects import teams as subjects
from gateway.surfaces.v1.whole import whole_organization
from tenants import keys
from tenants.context import in_tenant

router = Router(tags=["policies"])


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


_Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"\S"), AfterValidator(_storable)]
_Description = Annotated[str, Field(max_length=500), AfterValidator(_storable)]


class TeamIn(Schema):
    """A new team. Its id is what keys, subjects and overlays name it by; it never changes."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$", max_length=64)
    name: _Name
    description: _Description = ""


class TeamChange(Schema):
    model_config = ConfigDict(extra="forbid")

    name: _Name
    description: _Description = ""


class TeamOut(Schema):
    id: str
    name: str
    description: str
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, team: Team) -> TeamOut:
        return cls(
            id=team.id, name=team.name, description=team.description, created_at=team.created_at,
            created_by=team.created_by,
        )  # fmt: skip


class TeamPage(Schema):
    data: list[TeamOut]
    next_cursor: str | None


class TeamUsesOut(Schema):
    """What named the team and names it no longer."""

    overlays: int
    keys: int
    subjects: int


class TeamDeletedOut(Schema):
    id: str
    removed: TeamUsesOut


@router.get("/teams", response=TeamPage, summary="List teams, oldest first")
@endpoint(scope=Scope.POLICIES_READ)
async def list_teams(request: HttpRequest, limit: int | None = None, cursor: str | None = None) -> TeamPage:
    pagination.check_limit(limit), pagination.decode_cursor(cursor)
    page = await in_tenant(call_of(request).principal.ref, teams.page, limit=limit, cursor=cursor)
    return TeamPage(data=[TeamOut.of(team) for team in page.data], next_cursor=page.next_cursor)


@router.post("/teams", response={201: TeamOut}, summary="Create a team")
@endpoint(scope=Scope.POLICIES_WRITE)
async def create_team(request: HttpRequest, body: TeamIn) -> tuple[int, TeamOut]:
    """A team has no members of its own: keys and subjects say which teams they are in. Callers of a chat never do.
    A key that is narrowed to personas or subjects changes no team."""
    call = call_of(request)
    whole_organization(call.principal)
    team = await in_tenant(
        call.principal.ref, teams.create, body.id, name=body.name, description=body.description,
        actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return 201, TeamOut.of(team)


@router.get("/teams/{team_id}", response=TeamOut, summary="One team")
@endpoint(scope=Scope.POLICIES_READ)
async def get_team(request: HttpRequest, team_id: str) -> TeamOut:
    return TeamOut.of(await in_tenant(call_of(request).principal.ref, teams.get, team_id))


@router.put("/teams/{team_id}", response=TeamOut, summary="Rename or describe a team")
@endpoint(scope=Scope.POLICIES_WRITE)
async def put_team(request: HttpRequest, team_id: str, body: TeamChange) -> TeamOut:
    call = call_of(request)
    whole_organization(call.principal)
    team = await in_tenant(
        call.principal.ref, teams.change, team_id, name=body.name, description=body.description,
        actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return TeamOut.of(team)


@router.delete("/teams/{team_id}", response=TeamDeletedOut, summary="Delete a team")
@endpoint(scope=Scope.POLICIES_WRITE)
async def delete_team(
    request: HttpRequest,
    team_id: str,
    force: Annotated[bool, Query(description="Also when it is in use: then it is taken out everywhere.")] = False,
) -> TeamDeletedOut:
    """A team that an overlay, a key or a subject names is not deleted (409 `team_in_use`) unless `force` says so: then
    its overlay goes with it, and keys and subjects leave it, all at once."""
    call = call_of(request)
    principal = call.principal
    whole_organization(principal)
    removed = await in_tenant(principal.ref, _delete, team_id, force, principal.actor, call.request_id)
    return TeamDeletedOut(id=team_id, removed=TeamUsesOut(**removed))


def _delete(team_id: str, force: bool, actor: Actor, request_id: UUID) -> dict[str, int]:
    """What named the team, by kind. The team is held first: who would name it now waits, and then does not find it."""
    with transaction.atomic():
        teams.hold(team_id)
        modes = [mode for mode in Mode if policies.standing(Level.TEAM, team_id, mode) is not None]
        uses: dict[str, int] = {
            "overlays": len(modes),
            "keys": keys.in_team(team_id),
            "subjects": subjects.count(team_id),
        }
        if any(uses.values()) and not force:
            told = ", ".join(f"{count} {what}" for what, count in uses.items() if count)
            detail = f"The team {team_id!r} is named by {told}. Send force to take it out of all."
            raise TeamInUse(detail, extra={"uses": uses})
        for mode in modes:
            overlays.delete_overlay(level=Level.TEAM, target=team_id, mode=mode, actor=actor, request_id=request_id)
        uses["keys"] = keys.leave_team(team_id, actor=actor, request_id=request_id)
        uses["subjects"] = subjects.leave(team_id)
        teams.take_away(team_id, removed=uses, actor=actor, request_id=request_id)
    return uses
