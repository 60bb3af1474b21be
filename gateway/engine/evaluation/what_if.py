"""What an overlay would change, had it been in force: kept requests decided again under the policy as it is and as it
would be.

The functions are those that decide for real, and what each request is bound by (its key's teams and scopes, its
subject's teams, its conversation) and where its model leads to is looked up as it is now. No model is asked and nothing
is written. A request whose body was not kept, or that cannot be read, is counted and not guessed at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.errors import GatewayError, NotFound
from gateway.engine import routing
from gateway.engine.evaluation import verdicts
from gateway.engine.evaluation.inputs import Asked, Reader
from gateway.engine.evaluation.report import Changed, Report
from gateway.engine.evaluation.verdicts import Routed
from gateway.engine.routing import Bound, Plan
from gateway.governance.policies import selectors as policies
from gateway.governance.policies import shadows
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import Level, Mode, Overlay, RequestedPolicy
from gateway.governance.policies.validation import check_content, check_target
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.subjects import teams as subjects
from gateway.platform.requests import selectors as requests
from gateway.platform.requests.types import KeptInput
from tenants import selectors as tenants
from tenants.context import current, in_tenant
from tenants.types import ApiKey, Principal

MOST_INPUTS = 1_000
# So many are planned before others on the event loop have their turn.
_AT_A_TIME = 20


@dataclass(frozen=True, slots=True)
class _Case:
    """One kept request with all that decides it. ``overlays`` speak of it, the draft among them as one in shadow;
    ``bound`` is what binds its caller whoever the call is about, before and after."""

    kept: KeptInput
    asked: Asked
    caller: Principal
    overlays: Sequence[Overlay]
    behavior: Mapping[str, Any]
    bound: tuple[Bound, Bound]


async def run(draft: Overlay, *, days: int, show: int, principal: Principal, read: Reader) -> Report:
    """Decide the requests of the last ``days`` again, the newest ``MOST_INPUTS`` at most; up to ``show`` of those that
    would change are listed, newest first. ``read`` knows the dialects. Raises InvalidOverlay."""
    report = Report(clock.now() - timedelta(days=days), show)
    cases: list[_Case] = await in_tenant(principal.ref, _gathered, draft, report, principal, read)
    planned = []
    for at, case in enumerate(cases):
        planned.append([await _planned(case, bound) for bound in case.bound])
        if at % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    await in_tenant(principal.ref, _decided, report, cases, planned)
    return report


def _gathered(draft: Overlay, report: Report, principal: Principal, read: Reader) -> list[_Case]:
    """The requests that can be decided again; the others are counted in the report."""
    check_content(draft.precedence, draft.locks, draft.defaults)
    with transaction.atomic():
        check_target(draft.level, draft.target)
    found, total = requests.kept_inputs(since=report.since, limit=MOST_INPUTS + 1, principal=principal)
    report.requests, report.truncated = total, len(found) > MOST_INPUTS
    report.unreadable["not_kept"] = 0 if report.truncated else total - len(found)
    known = _Known(draft, principal)
    cases = []
    for kept in found[:MOST_INPUTS]:
        case = known.case(kept, read(kept))
        if isinstance(case, str):
            report.unreadable[case] += 1
        else:
            cases.append(case)
    return cases


class _Known:
    """What several requests are decided by, looked up once each."""

    def __init__(self, draft: Overlay, principal: Principal) -> None:
        self._draft, self._principal = replace(draft, mode=Mode.SHADOW), principal
        self._keys: dict[str, ApiKey | None] = {}
        self._teams: dict[str, tuple[str, ...]] = {}
        self._bound: dict[tuple[str, ...], tuple[Bound, Bound]] = {}

    def case(self, kept: KeptInput, asked: Asked | None) -> _Case | str:
        """The request with what decides it, or why it cannot be decided."""
        if asked is None:
            return "unreadable"
        caller = self._caller(kept.key_id)
        if caller is None:
            return "key_gone"
        try:
            spoken = (
                personas.load(kept.persona_id, kept.persona_version).cartridge.behavior if kept.persona_id else None
            )
        except NotFound:
            return "persona_gone"
        own = caller.grant.team_ids
        teams, conversation = (*own, *self._of_subject(kept.subject_id)), asked.conversation_id
        overlays = self._tried(teams, kept.subject_id, conversation)
        if own not in self._bound:
            shared = self._tried(own, None, None)
            now = Bound.of(shared)
            would = any(one.mode is Mode.SHADOW for one in shared)
            self._bound[own] = now, Bound.of(shadows.promoted(shared)) if would else now
        behavior = {"persona_do": spoken.do, "persona_dont": spoken.dont} if spoken is not None else {}
        return _Case(kept, asked, caller, overlays, behavior, self._bound[own])

    def _tried(self, teams: Sequence[str], subject_id: str | None, conversation_id: str | None) -> list[Overlay]:
        """The overlays in force, and the draft as one in shadow is: in the place of what it replaces."""
        found = policies.overlays(teams=teams, subject_id=subject_id, conversation_id=conversation_id)
        in_force = [overlay for overlay in found if overlay.mode is Mode.ENFORCE]
        speaks = {
            Level.ORG: self._draft.target == "",
            Level.TEAM: self._draft.target in teams,
            Level.USER: self._draft.target == subject_id,
            Level.SESSION: self._draft.target == conversation_id,
        }[self._draft.level]
        return [*in_force, self._draft] if speaks else in_force

    def _caller(self, key_id: str | None) -> Principal | None:
        """Who would ask again: the key of then; for a person, somebody whom no key narrows; None for a key that is
        gone."""
        if key_id is None:
            asker = self._principal
            free = asker.key and replace(asker.key, models=None, memory_scopes=None, team_ids=())
            return replace(asker, key=free, token=None)
        if key_id not in self._keys:
            try:
                self._keys[key_id] = tenants.key(current(), ids.parse("key", key_id))
            except NotFound:
                self._keys[key_id] = None
        key = self._keys[key_id]
        return replace(self._principal, key=key, token=None, seat=None) if key is not None else None

    def _of_subject(self, subject_id: str | None) -> tuple[str, ...]:
        if subject_id is None:
            return ()
        if subject_id not in self._teams:
            self._teams[subject_id] = subjects.of(subject_id)
        return self._teams[subject_id]


async def _planned(case: _Case, bound: Bound) -> Plan | Routed:
    """Where the request would go, or why nowhere."""
    asked, request_id = case.asked, case.kept.request_id
    try:
        return await routing.permitted(
            case.caller, asked.model, asked.passing, request_id=request_id, needs=asked.needs, bound=bound
        )
    except GatewayError as error:
        return verdicts.refused(error)


def _decided(report: Report, cases: Sequence[_Case], planned: Sequence[Sequence[Plan | Routed]]) -> None:
    for case, plans in zip(cases, planned, strict=True):
        before, after = _passed(plans) if case.asked.passing is not None else _turned(case, plans)
        kept = case.kept
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


def _passed(plans: Sequence[Plan | Routed]) -> tuple[Routed, Routed]:
    before, after = (Routed(None, None, one.first.name) if isinstance(one, Plan) else one for one in plans)
    return before, after


def _turned(case: _Case, plans: Sequence[Plan | Routed]) -> tuple[Routed, Routed]:
    asked = case.asked
    wish = RequestedPolicy(
        redact_mode=asked.redact_mode,
        memory_scopes=asked.memory_scopes,
        key_memory_scopes=case.caller.grant.memory_scopes,
        max_output_tokens=asked.max_tokens,
    )
    before = merge(case.overlays, **case.behavior, request=wish)
    shadow = shadows.of(case.overlays, **case.behavior, request=wish)
    first, second = (one.names if isinstance(one, Plan) else one for one in plans)
    return verdicts.both(
        before,
        shadow.policy if shadow is not None else before,
        targets=(first, second),
        tools=asked.tools,
        texts=asked.texts,
        names=asked.names,
    )
