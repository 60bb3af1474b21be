"""Writes of golden prompts, and starting a run of them. Running is an operation (``running``)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from gateway.core import clock, ids
from gateway.core.journal import Actor, Change, record
from gateway.core.plain import plain
from gateway.engine.consistency import selectors
from gateway.engine.consistency.errors import GoldenPromptsConflict, NoGoldenPrompts, RunUnderWay
from gateway.engine.consistency.models import GoldenSetRow, RunRow
from gateway.engine.consistency.types import GoldenPrompt, GoldenSet, Reason, Run, State, asked_digest
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas import services as publishing
from gateway.knowledge.personas.formats import digest
from gateway.knowledge.personas.types import Cartridge
from gateway.platform.operations import services as operations

RUN = "persona.consistency"
DRAFT = "draft"
HOUR = 3  # of the UTC day, when nights begin
_KEPT_RUNS = 500


def save(
    persona_id: str,
    *,
    prompts: tuple[GoldenPrompt, ...],
    settings: dict[str, Any],
    expected_revision: int | None = None,
    actor: Actor,
    request_id: UUID | None = None,
) -> GoldenSet:
    """Save a persona's golden prompts, all at once. ``settings`` are the other fields of ``GoldenSet``;
    ``expected_revision`` is the revision the caller saw, 0 for none. The same again changes nothing. A persona that is
    only drafted so far may have some.

    Raises PersonaNotFound, PersonaArchived, and GoldenPromptsConflict with who saved them meanwhile.
    """
    with transaction.atomic():
        _locked(persona_id)
        row = GoldenSetRow.objects.select_for_update().filter(persona_id=persona_id).first()
        if expected_revision is not None and expected_revision != (row.revision if row else 0):
            raise _conflict(row)
        row = row or GoldenSetRow(persona_id=persona_id)
        wanted = {"prompts": [plain(asdict(one)) for one in prompts], **settings}
        if row.revision and all(getattr(row, name) == value for name, value in wanted.items()):
            return selectors.to_set(row)
        for name, value in wanted.items():
            setattr(row, name, value)
        row.revision, row.updated_at, row.updated_by = row.revision + 1, clock.now(), str(actor)
        row.save()
        detail = {"revision": row.revision, "prompts": len(prompts), **settings}
        _record("golden_prompts.saved", persona_id, actor=actor, request_id=request_id, detail=detail)
    return selectors.to_set(row)


def delete(persona_id: str, *, actor: Actor, request_id: UUID | None = None) -> None:
    """Let the cartridge's examples stand in again; runs stay. Deleting twice is the same as once. Raises
    PersonaNotFound."""
    with transaction.atomic():
        selectors.known(persona_id)
        gone, _ = GoldenSetRow.objects.filter(persona_id=persona_id).delete()
        if gone:
            _record("golden_prompts.deleted", persona_id, actor=actor, request_id=request_id)


def start(
    persona_id: str,
    target: int | str | None,
    *,
    model: str | None = None,
    judge_model: str | None = None,
    actor: Actor,
    request_id: UUID | None = None,
    night: date | None = None,
) -> Run:
    """Have a version (None: the current one), or the draft (``DRAFT``), asked the persona's golden prompts by a worker,
    on behalf of ``actor``. ``night`` is the night that a nightly run belongs to, of which there is one.

    Raises PersonaNotFound, PersonaVersionNotFound, PersonaArchived, DraftNotFound, InvalidCartridge for a draft that
    could not be published, NoGoldenPrompts, and RunUnderWay while another one of the persona is.
    """
    with transaction.atomic():
        publishing.one_at_a_time()
        if target == DRAFT:
            raw, version = personas.draft(persona_id).raw, None
            publishing.checked(raw, persona_id)
            golden = _of_draft(persona_id, raw)
        else:
            publishing.locked_in_use(persona_id)
            found = personas.load(persona_id, target if isinstance(target, int) else None)
            raw, version, golden = found.raw, found.version, selectors.golden_set(persona_id)
        if not golden.prompts:
            told = f"Persona {persona_id!r} has neither golden prompts nor examples; save some first."
            raise NoGoldenPrompts(told)
        _refuse_second(persona_id)
        answers, judges = model or golden.model, judge_model or golden.judge_model
        row = RunRow(
            persona_id=persona_id,
            version=version,
            cartridge=raw,
            digest=digest(raw),
            reason=Reason.NIGHTLY if night else Reason.MANUAL,
            night=night,
            prompts=[plain(asdict(one)) for one in golden.prompts],
            model=answers,
            judge_model=judges,
            asked_digest=asked_digest(golden.prompts, answers, judges),
            tolerance_percent=golden.tolerance_percent,
            started_by=str(actor),
        )
        sent = operations.start(
            RUN, actor=actor, total=len(row.prompts), payload={"run_id": str(row.id)}, request_id=request_id
        )
        row.operation_id = sent.id
        row.save(force_insert=True)
        detail = {"version": version, "digest": row.digest, "reason": row.reason, "prompts": len(row.prompts)}
        shown = ids.public("crun", row.id)
        _record("consistency.started", persona_id, shown, actor=actor, request_id=request_id, detail=detail)
        _forget_oldest(persona_id)
    return selectors.to_run(row)


def start_nightly(golden: GoldenSet, now: datetime) -> Run | None:
    """This night's run of the current version, on behalf of whoever saved the golden prompts; None where there is one
    already or another is under way, or where they were saved since the night began."""
    began = night_began(now)
    if golden.updated_at is None or golden.updated_at > began:
        return None
    night = began.date()
    if RunRow.objects.filter(persona_id=golden.persona_id, night=night).exists():
        return None
    try:
        return start(golden.persona_id, None, actor=Actor.of(golden.updated_by or ""), night=night)
    except (IntegrityError, RunUnderWay):
        return None


def night_began(now: datetime) -> datetime:
    """The last three o'clock (UTC)."""
    tonight = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return tonight if tonight <= now else tonight - timedelta(days=1)


def _of_draft(persona_id: str, raw: dict[str, Any]) -> GoldenSet:
    """The golden prompts for a draft: those that were saved, else the draft's own examples."""
    row = GoldenSetRow.objects.filter(persona_id=persona_id).first()
    return selectors.to_set(row) if row else GoldenSet(persona_id, selectors.examples(Cartridge.of(raw)))


def _locked(persona_id: str) -> None:
    """Hold the persona until the transaction ends: its row, or, for one that is only drafted so far, its name. In the
    order in which a publish takes them. Raises PersonaNotFound, PersonaArchived."""
    publishing.one_at_a_time()
    if selectors.known(persona_id) is not None:
        publishing.locked_in_use(persona_id)


def _refuse_second(persona_id: str) -> None:
    """Of one persona one run is under way; it costs money, and two would say the same."""
    for row in RunRow.objects.filter(persona_id=persona_id, state=State.RUNNING).defer("replies", "cartridge"):
        known = selectors.to_run(row, replies=False)
        if known.state is State.RUNNING:
            told = "The golden prompts of this persona are being asked already."
            raise RunUnderWay(told, extra={"run_id": known.public_id}, retry_after=5)


def _forget_oldest(persona_id: str) -> None:
    rows = RunRow.objects.filter(persona_id=persona_id).order_by("-id")
    oldest = rows.values_list("id", flat=True)[_KEPT_RUNS : _KEPT_RUNS + 1].first()
    if oldest is not None:
        RunRow.objects.filter(persona_id=persona_id, id__lte=oldest).delete()


def _conflict(row: GoldenSetRow | None) -> GoldenPromptsConflict:
    if row is None:
        return GoldenPromptsConflict("The golden prompts were deleted in the meantime.", extra={"revision": 0})
    return GoldenPromptsConflict(
        f"The golden prompts are at revision {row.revision}, saved by {row.updated_by}.",
        extra={"revision": row.revision, "saved_by": row.updated_by, "saved_at": row.updated_at.isoformat()},
    )


def _record(
    action: str,
    persona_id: str,
    target: str | None = None,
    *,
    actor: Actor,
    request_id: UUID | None,
    detail: dict[str, Any] | None = None,
) -> None:
    about = target or f"persona:{persona_id}"
    record(Change(action, actor, about, persona_id=persona_id, request_id=request_id, detail=detail or {}))
