"""Teams: a minimal list. A team has members nowhere of its own: keys and subjects say which teams they are in, and an
overlay of a team binds them. Callers of a chat never name one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from gateway.core import ids
from gateway.core.journal import Actor, Change, record
from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.governance.access.errors import TeamExists, TeamNotFound, TooManyTeams, UnknownTeam
from gateway.governance.access.models import TeamRow

ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
MAX_TEAMS = 1_000
# Of one key or one subject: the overlays of all of them are read with every request.
MAX_MEMBERSHIPS = 20


@dataclass(frozen=True, slots=True)
class Team:
    """One team. ``id`` is the organization's own word for it; ``pk`` keys the list."""

    pk: UUID
    id: str
    name: str
    description: str
    created_at: datetime
    created_by: str


Told = Callable[[str], tuple[str, ...]]
_told: Told | None = None


def fill(told: Told) -> None:
    """Install who tells a subject's teams, because subjects stand above; called once, at start-up."""
    global _told
    _told = told


def of_subject(subject_id: str) -> tuple[str, ...]:
    """The teams that a subject is in now; none where nobody knows it."""
    if _told is None:
        raise RuntimeError("Nobody tells subjects' teams: gateway.knowledge.subjects must be installed.")
    return _told(subject_id)


def known(team_ids: Iterable[str]) -> frozenset[str]:
    """Which of these teams there are. One query, none for none."""
    wanted = set(filter(ID.fullmatch, team_ids))
    if not wanted:
        return frozenset()
    return frozenset(TeamRow.objects.filter(team_id__in=wanted).values_list("team_id", flat=True))


def held(team_ids: Iterable[str]) -> frozenset[str]:
    """``known``, for whoever writes them down: inside a transaction, those found cannot be deleted before it ends."""
    wanted = sorted(set(filter(ID.fullmatch, team_ids)))
    if not wanted:
        return frozenset()
    rows = TeamRow.objects.select_for_update().filter(team_id__in=wanted).order_by("team_id")
    return frozenset(row.team_id for row in rows)


def require(team_ids: Iterable[str]) -> tuple[str, ...]:
    """These teams sorted, each once, held as ``held`` does. Raises UnknownTeam naming those that are not there."""
    wanted = sorted(set(team_ids))
    missing = sorted(set(wanted) - held(wanted))
    if missing:
        raise UnknownTeam(missing)
    return tuple(wanted)


def get(team_id: str) -> Team:
    """One team. Raises TeamNotFound."""
    return _to_team(_row(team_id))


def page(*, limit: int | None = None, cursor: str | None = None) -> Page[Team]:
    """Teams in the order of their creation."""
    size, after = check_limit(limit), decode_cursor(cursor)
    rows = TeamRow.objects.order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return cut([_to_team(row) for row in rows[: size + 1]], size, key=lambda team: team.pk)


def create(team_id: str, *, name: str, description: str = "", actor: Actor, request_id: UUID | None = None) -> Team:
    """A new team. Raises TeamExists, TooManyTeams. Two at once: one of them is refused."""
    with transaction.atomic():
        if TeamRow.objects.count() >= MAX_TEAMS:
            raise TooManyTeams(f"An organization has at most {MAX_TEAMS} teams.")
        row = TeamRow(id=ids.uuid7(), team_id=team_id, name=name, description=description, created_by=str(actor))
        TeamRow.objects.bulk_create([row], ignore_conflicts=True)
        stored = TeamRow.objects.get(team_id=team_id)
        if stored.id != row.id:
            raise TeamExists(f"There is a team {team_id!r} already.")
        record(Change("team.created", actor, f"team:{team_id}", request_id=request_id, detail={"name": name}))
    return _to_team(stored)


def change(team_id: str, *, name: str, description: str, actor: Actor, request_id: UUID | None = None) -> Team:
    """Set a team's name and description; what is already so changes nothing. Raises TeamNotFound."""
    with transaction.atomic():
        row = _row(team_id, for_update=True)
        before = {"name": row.name, "description": row.description}
        after = {"name": name, "description": description}
        if before != after:
            row.name, row.description = name, description
            row.save(update_fields=["name", "description"])
            detail = {"before": before, "after": after}
            record(Change("team.changed", actor, f"team:{team_id}", request_id=request_id, detail=detail))
    return _to_team(row)


def take_away(team_id: str, *, removed: dict[str, int], actor: Actor, request_id: UUID | None = None) -> Team:
    """Delete a team's row, inside the transaction in which its uses were removed first (``removed``: how many of each,
    for the audit). Raises TeamNotFound."""
    row = _row(team_id, for_update=True)
    team = _to_team(row)
    row.delete()
    record(Change("team.deleted", actor, f"team:{team_id}", request_id=request_id, detail={"removed": removed}))
    return team


def hold(team_id: str) -> Team:
    """One team, locked until the transaction ends. Raises TeamNotFound."""
    return _to_team(_row(team_id, for_update=True))


def _row(team_id: str, *, for_update: bool = False) -> TeamRow:
    rows = TeamRow.objects.select_for_update() if for_update else TeamRow.objects.all()
    row = rows.filter(team_id=team_id).first() if ID.fullmatch(team_id) else None
    if row is None:
        raise TeamNotFound(f"There is no team {team_id!r}.")
    return row


def _to_team(row: TeamRow) -> Team:
    return Team(row.id, row.team_id, row.name, row.description, row.created_at, row.created_by)
