"""What can be wrong with a team."""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound


class TeamNotFound(NotFound):
    default_code = "team_not_found"


class TeamExists(Conflict):
    default_code = "team_exists"


class TeamInUse(Conflict):
    default_code = "team_in_use"


class TooManyTeams(Conflict):
    default_code = "too_many_teams"


class UnknownTeam(BadRequest):
    default_code = "unknown_team"

    def __init__(self, missing: list[str], pointer: str = "#/team_ids") -> None:
        message = f"there is no team {', '.join(missing)}"
        super().__init__(f"team_ids: {message}.", problems=(FieldProblem(pointer, "unknown_team", message),))
