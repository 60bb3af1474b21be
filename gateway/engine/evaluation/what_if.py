"""What an overlay would change, had it been in force: kept requests decided again under the policy as it is and as it
would be.

The functions are those that decide for real, and what each request is bound by (its key's teams and scopes, its
subject's teams, its conversation) is looked up as it is now. No model is asked and nothing is written. A request whose
body was not kept, or that cannot be read, is counted and not guessed at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import NotFound
from gateway.engine.evaluation import inputs, verdicts
from gateway.engine.evaluation.report import Changed, Report
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import shadows
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Level, Mode, Overlay, RequestedPolicy
from gateway.governance.policies.validation import check
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.subjects import selectors as subjects
from gateway.platform.requests import selectors as requests
from gateway.platform.requests.types import KeptInput
from tenants import selectors as tenants
from tenants.context import current
from tenants.types import ApiKey, Principal

MOST_INPUTS = 1_000


def run(draft: Overlay, *, days: int, show: int, principal: Principal) -> Report:
    """Decide the requests of the last ``days`` again, the newest ``MOST_INPUTS`` at most; up to ``show`` of those that
    would change are listed, newest first. Runs in the organization's scope. Raises InvalidOverlay."""
    with transaction.atomic():
        check(draft.level, draft.target, draft.precedence, draft.locks, draft.defaults)
    since = clock.now() - timedelta(days=days)
    found, total = requests.kept_inputs(since=since, limit=MOST_INPUTS + 1, principal=principal)
    report = Report(since, show, requests=total, truncated=len(found) > MOST_INPUTS)
    report.unreadable["not_kept"] = total - len(found) if not report.truncated else 0
    known = _Known()
    for kept in found[:MOST_INPUTS]:
        both = _decided(kept, draft, known)
        if isinstance(both, str):
            report.unreadable[both] += 1
            continue
        before, after = both
        report.add(
            Changed(
                ids.public("req", kept.request_id),
                kept.occurred_at,
                kept.persona_id,
                kept.subject_id,
                before.refused,
                after.refused,
                before.changes(after),
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
    found = policies.overlays(teams=teams, subject_id=kept.subject_id, conversation_id=asked.conversation_id)
    in_force = [overlay for overlay in found if overlay.mode is Mode.ENFORCE]
    wish = RequestedPolicy(
        redact_mode=asked.redact_mode,
        memory_scopes=asked.memory_scopes,
        key_memory_scopes=key.memory_scopes if key is not None else None,
        max_output_tokens=asked.max_tokens,
    )
    do, dont = (behavior.do, behavior.dont) if behavior is not None else ((), ())
    before = merge(in_force, persona_do=do, persona_dont=dont, request=wish)
    # Tried as an overlay in shadow is: in the place of what it replaces, where it speaks of this request.
    tried = [*in_force, replace(draft, mode=Mode.SHADOW)] if _binds(draft, teams, kept, asked) else in_force
    shadow = shadows.of(tried, persona_do=do, persona_dont=dont, request=wish)
    model = kept.model or asked.model
    after = shadow.policy if shadow is not None else before
    return verdicts.both(before, after, models=(model, model), tools=asked.tools, texts=asked.texts)


def _binds(draft: Overlay, teams: tuple[str, ...], kept: KeptInput, asked: inputs.Asked) -> bool:
    return {
        Level.ORG: draft.target == "",
        Level.TEAM: draft.target in teams,
        Level.USER: draft.target == kept.subject_id,
        Level.SESSION: draft.target == asked.conversation_id,
    }[draft.level]
