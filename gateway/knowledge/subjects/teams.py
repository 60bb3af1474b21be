"""A team and its subjects: for whoever takes a team away, and whoever asks what binds a subject."""

from __future__ import annotations

from django.db.models import F, Func, Value

from gateway.knowledge.subjects import selectors
from gateway.knowledge.subjects.models import SubjectRow


def of(subject_id: str) -> tuple[str, ...]:
    """The teams that a subject is in, none for one that is not known."""
    subject = selectors.find(subject_id)
    return subject.team_ids if subject is not None else ()


def count(team_id: str) -> int:
    """How many subjects are in a team."""
    return SubjectRow.objects.filter(team_ids__contains=[team_id]).count()


def leave(team_id: str) -> int:
    """Take a team out of every subject, in one statement; how many. Runs in the transaction that deletes the team and
    leaves its trail."""
    without = Func(F("team_ids"), Value(team_id), function="array_remove")
    return SubjectRow.objects.filter(team_ids__contains=[team_id]).update(team_ids=without)
