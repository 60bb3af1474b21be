"""What an overlay would change, had it been in force: kept requests decided again under the policy as it is and as it
would be.

The functions are those that decide for real, and what each request is bound by (its key's teams and scopes, its
subject's teams, its conversation) is looked up as it is now. No model is asked and nothing is written. A request whose
body was not kept, or that cannot be read, is counted and not guessed at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import NotFound
from gateway.engine.evaluation import inputs, verdicts
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Level, Overlay, RequestedPolicy
from gateway.governance.policies.validation import check
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.subjects import selectors as subjects
from gateway.platform.requests import selectors as requests
from gateway.platform.requests.types import KeptInput
from tenants import selectors as tenants
from tenants.context import current
from tenants.types import ApiKey, Principal

MOST_INPUTS = 1_000


@dataclass(frozen=True, slots=True)
class Changed:
    """One request that would have been decided otherwise."""

    request_id: str
    occurred_at: datetime
    persona_id: str | None
    subject_id: str | None
    refused_before: bool
    refused_after: bool
    changes: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Report:
    """``requests`` is the denominator: every call of the window that the caller may see; ``evaluated`` of them could be
    decided again, ``unreadable`` counts the others by reason. ``truncated`` says that there were more inputs than are
    looked at in one go."""

    since: datetime
    requests: int = 0
    evaluated: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    newly_refused: int = 0
    newly_allowed: int = 0
    by_decision: Counter[str] = field(default_factory=Counter)
    changed: list[Changed] = field(default_factory=list)
    changed_count: int = 0
    truncated: bool = False

    @property
    def coverage(self) -> float | None:
        """The share of the window's requests that could be decided again; None where there were none."""
        return round(self.evaluated / self.requests, 4) if self.requests else None


def run(draft: Overlay, *, days: int, show: int, principal: Principal) -> Report:
    """Decide the requests of the last ``days`` again, the newest ``MOST_INPUTS`` at most; up to ``show`` of those that
    would change are listed, newest first. Runs in the organization's scope. Raises InvalidOverlay."""
    with transaction.atomic():
        check(draft.level, draft.target, draft.precedence, draft.locks, draft.defaults)
    since = clock.now() - timedelta(days=days)
    found, total = requests.kept_inputs(since=since, limit=MOST_INPUTS + 1, principal=principal)
    report = Report(since, requests=total, truncated=len(found) > MOST_INPUTS)
    report.unreadable["not_kept"] = total - len(found) if not report.truncated else 0
    known = _Known()
    for kept in found[:MOST_INPUTS]:
        both = _decided(kept, draft, known)
        if isinstance(both, str):
            report.unreadable[both] += 1
            continue
        report.evaluated += 1
        before, after = both
        changes = before.changes(after)
        if not changes:
            continue
        report.changed_count += 1
        report.by_decision.update(changes.keys())
        report.newly_refused += after.refused and not before.refused
        report.newly_allowed += before.refused and not after.refused
        if len(report.changed) < show:
            report.changed.append(
                Changed(
                    ids.public("req", kept.request_id),
                    kept.occurred_at,
                    kept.persona_id,
                    kept.subject_id,
                    before.refused,
                    after.refused,
                    changes,
                )
            )
    return report


class _Known:
    """Keys and subjects' teams, looked up once each."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey | None] = {}
        self._teams: dict[str, tuple[str, ...]] = {}

    def key(self, key_id: str | None) -> ApiKey | None:
        if key_id is not None and key_id not in self._keys:
            try:
                self._keys[key_id] = tenants.key(current(), ids.parse("key", key_id))
            except NotFound:
                self._keys[key_id] = None
        return self._keys.get(key_id) if key_id is not None else None

    def teams(self, subject_id: str | None) -> tuple[str, ...]:
        if subject_id is None:
            return ()
        if subject_id not in self._teams:
            subject = subjects.find(subject_id)
            self._teams[subject_id] = subject.team_ids if subject is not None else ()
        return self._teams[subject_id]


def _decided(kept: KeptInput, draft: Overlay, known: _Known) -> tuple[verdicts.Verdict, verdicts.Verdict] | str:
    """The verdicts before and after, or why there are none."""
    asked = inputs.read(kept.text, kept.headers)
    if asked is None:
        return "unreadable"
    key = known.key(kept.key_id)
    if kept.key_id is not None and key is None:
        return "key_gone"
    teams = (*(key.team_ids if key is not None else ()), *known.teams(kept.subject_id))
    try:
        behavior = personas.load(kept.persona_id, kept.persona_version).cartridge.behavior if kept.persona_id else None
    except NotFound:
        return "persona_gone"
    in_force = policies.overlays(teams=teams, subject_id=kept.subject_id, conversation_id=asked.conversation_id)
    wish = RequestedPolicy(
        redact_mode=asked.redact_mode,
        memory_scopes=asked.memory_scopes,
        key_memory_scopes=key.memory_scopes if key is not None else None,
        max_output_tokens=asked.max_tokens,
    )
    do, dont = (behavior.do, behavior.dont) if behavior is not None else ((), ())
    model = kept.model or asked.model
    before, after = (
        verdicts.of(merge(overlays, persona_do=do, persona_dont=dont, request=wish), asked, model)
        for overlays in (in_force, _with(in_force, draft, teams, kept.subject_id, asked.conversation_id))
    )
    return before, after


def _with(
    in_force: list[Overlay],
    draft: Overlay,
    teams: tuple[str, ...],
    subject_id: str | None,
    conversation_id: UUID | str | None,
) -> list[Overlay]:
    """The overlays as they would be: the draft in the place of what it replaces, where it binds this request."""
    binds = {
        Level.ORG: draft.target == "",
        Level.TEAM: draft.target in teams,
        Level.USER: draft.target == subject_id,
        Level.SESSION: draft.target == conversation_id,
    }[draft.level]
    others = [one for one in in_force if (one.level, one.target) != (draft.level, draft.target)]
    return [*others, draft] if binds else in_force
