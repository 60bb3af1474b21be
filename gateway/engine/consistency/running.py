"""The operation that asks a persona its golden prompts, one after the other, through the same pipeline as every turn.

Each answer is stored before the next prompt is asked, so a run that lost its worker goes on where it stopped and pays
for one answer twice at most. The subject of these turns is nobody: nothing is recalled, and nothing is kept of them but
their ledger entries and decision records.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from gateway.core import clock, ids
from gateway.core.endpoint import REHEARSAL
from gateway.core.errors import GatewayError
from gateway.core.journal import SYSTEM, Actor, Change, Event, record
from gateway.core.plain import plain
from gateway.engine.chat import unattended
from gateway.engine.chat.types import Answer, ChatRequest
from gateway.engine.consistency import judging, rubric, scoring, selectors, services
from gateway.engine.consistency.models import RunRow
from gateway.engine.consistency.types import SUBJECT, GoldenPrompt, Run, Scores, State
from gateway.knowledge.personas.compile import compile_persona, speaking
from gateway.knowledge.personas.types import STAGES, Cartridge, PersonaVersion
from gateway.platform import embeddings
from gateway.platform.operations.errors import Cancelled
from gateway.platform.operations.registry import OperationRun, runner
from tenants import selectors as tenants
from tenants.context import current, released

# A limit that is full for a moment is waited for, so often and no longer each time.
_WAITS, _LONGEST_WAIT_S, _EMBEDDER_PAUSE_S = 3, 15.0, 1.0


@runner(services.RUN)
def run(operation: OperationRun) -> dict[str, Any]:
    """Ask what was not asked yet, then add it up."""
    row = RunRow.objects.filter(pk=UUID(operation.payload["run_id"]), state=State.RUNNING).first()
    if row is None:
        return {"asked": 0}
    rehearsed, before = _rehearsed(row), selectors.said_before(row.persona_id, row.version)
    try:
        for number, raw in enumerate(row.prompts[row.asked :], row.asked + 1):
            row.replies.append(_replied(row, rehearsed, GoldenPrompt.of(raw), before))
            row.asked = number
            with transaction.atomic():
                operation.advance(number)  # raises where another worker has taken over: then nothing is stored
                row.save(update_fields=["replies", "asked"])
    except Cancelled:
        _finish(row, State.FAILED, {"code": "operation_cancelled", "detail": "The operation was cancelled."})
        raise
    except GatewayError as error:
        operation.advance(row.asked)  # as above: the run is another worker's to end, then
        _finish(row, State.FAILED, {"code": error.code, "detail": error.detail[:500]})
        raise
    found = _finish(row, State.DONE)
    return {"run_id": found.public_id, "drift_percent": found.drift_percent, "within": found.within}


def _rehearsed(row: RunRow) -> PersonaVersion:
    raw: dict[str, Any] = row.cartridge or {}
    cartridge = Cartridge.of(raw)
    return PersonaVersion(
        row.id, row.persona_id, row.version or 0, cartridge, raw, row.digest, compile_persona(cartridge),
        row.started_at, row.started_by,
    )  # fmt: skip


def _replied(row: RunRow, rehearsed: PersonaVersion, golden: GoldenPrompt, before: dict[str, str]) -> dict[str, Any]:
    """One prompt's answer with its scores, or why there is none. Raises what would stop the next prompt too."""
    author = Actor.of(row.started_by)
    asked = {"name": golden.name, "prompt": golden.prompt}
    try:
        answer = _asked(author, row.model, rehearsed, golden)
    except GatewayError as error:
        if error.http_status < 500:
            raise
        return {**asked, "answer": None, "error": {"code": error.code, "detail": error.detail[:500]}}
    text = answer.content or ""
    voice = speaking(rehearsed.cartridge, stage=STAGES[0])  # these turns come from somebody it has never met
    checks, unchecked = rubric.checks(text, voice, golden)
    judgement = judging.Judgement(None)
    if row.judge_model and text:
        judgement = judging.ask(author, row.judge_model, voice, question=golden.prompt, answer=text)
    reference = golden.reference or before.get(golden.prompt)
    similarity, problem = _similarity(text, reference)
    scores = scoring.scores(similarity=similarity, rubric=scoring.passed(checks), judge=judgement.score)
    if problem is not None:  # without what it was to be held against, the rest would say too much
        scores = replace(scores, consistency=None)
    found = {
        **asked,
        "request_id": ids.public("req", answer.request_id),
        "model": answer.model,
        "answer": text,
        "compared_with": "reference" if golden.reference else "version_before" if reference else None,
        "similarity_problem": problem,
        "scores": scores.rounded(),
        "checks": [asdict(one) for one in checks],
        "unchecked_rules": list(unchecked) if judgement.score is None else [],
        "judge_broken": list(judgement.broken),
        "judge_problem": judgement.problem,
        "error": None,
    }
    return dict(plain(found))


def _asked(author: Actor, model: str, rehearsed: PersonaVersion, golden: GoldenPrompt) -> Answer:
    request = ChatRequest(
        model=model,
        persona_id=rehearsed.persona_id,
        subject_id=SUBJECT,
        messages=({"role": "user", "content": golden.prompt},),
        memory_scopes=(),
        body_bytes=len(golden.prompt.encode()),
        rehearsal=rehearsed,
    )
    for left in reversed(range(_WAITS)):
        try:
            return unattended.turn(author, request, surface=REHEARSAL)
        except GatewayError as error:
            pause = error.retry_after
            if not left or error.http_status != 429 or pause is None or pause > _LONGEST_WAIT_S:
                raise
            with released():
                time.sleep(pause)
    raise AssertionError("the last try answers or raises")


def _similarity(text: str, reference: str | None) -> tuple[float | None, str | None]:
    """(how near an answer is to its reference, why that could not be told). Neither without a reference, or where
    nobody embeds at all."""
    organization = tenants.organization(current().id)
    if not text or not reference or organization is None or embeddings.active_model(organization) is None:
        return None, None
    for left in reversed(range(_WAITS)):
        try:
            with released():
                mine, theirs = embeddings.texts_now(organization, [text, reference])
        except GatewayError as error:
            if not left:
                return None, error.code
            with released():
                time.sleep(_EMBEDDER_PAUSE_S)
        else:
            return scoring.nearness(embeddings.similarity(mine, theirs)), None
    raise AssertionError("the last try answers or says why not")


def _finish(row: RunRow, state: State, error: dict[str, Any] | None = None) -> Run:
    """Add a run up, and tell of a published version that is off. One that answered nothing at all has failed."""
    found = [one for one in row.replies if one["error"] is None]
    if state is State.DONE and not found:
        state, error = State.FAILED, row.replies[-1]["error"]
    whole = scoring.together(Scores(**one["scores"]) for one in found)
    row.state, row.error, row.finished_at = state, error, clock.now()
    row.similarity, row.rubric, row.judge = whole.similarity, whole.rubric, whole.judge
    row.consistency = whole.consistency
    row.missing = [asdict(one) for one in scoring.missing(row.replies)]
    with transaction.atomic():
        row.save()
        shown = selectors.to_run(row)
        facts: dict[str, Any] = {
            "run_id": shown.public_id,
            "persona_version": row.version,
            "drift_percent": shown.drift_percent,
            "tolerance_percent": row.tolerance_percent,
        }
        detail = {**facts, "state": state, "within": shown.within, "code": error["code"] if error else None}
        change = Change("consistency.finished", SYSTEM, shown.public_id, persona_id=row.persona_id, detail=detail)
        off = state is State.DONE and shown.within is False and row.version is not None
        record(change, *([Event("persona.drifted", facts, persona_id=row.persona_id)] if off else []))
    return shown
