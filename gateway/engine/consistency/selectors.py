"""Reads of golden prompts and runs, in the organization in scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from gateway.core.pagination import Page, check_limit, decode_cursor
from gateway.core.pagination import page as cut
from gateway.engine.consistency.errors import RunNotFound
from gateway.engine.consistency.models import GoldenSetRow, RunRow
from gateway.engine.consistency.types import (
    GoldenPrompt,
    GoldenSet,
    Lack,
    Missing,
    Reason,
    Run,
    Scores,
    State,
    VersionStanding,
)
from gateway.knowledge.personas import lint
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.errors import DraftNotFound, PersonaNotFound
from gateway.knowledge.personas.types import Cartridge, Persona
from gateway.platform.operations import selectors as operations

_STANDINGS = 100


def golden_set(persona_id: str) -> GoldenSet:
    """A persona's golden prompts; where none were saved, the examples of its current version, or of its first draft.
    Raises PersonaNotFound."""
    persona = known(persona_id)
    row = GoldenSetRow.objects.filter(persona_id=persona_id).first()
    if row is not None:
        return to_set(row)
    if persona is None:
        return GoldenSet(persona_id, drafted_examples(persona_id, personas.draft(persona_id).raw))
    return GoldenSet(persona_id, examples(personas.version(persona_id, persona.current_version).cartridge))


def known(persona_id: str) -> Persona | None:
    """The persona, archived or not; None for one that is only drafted so far. Raises PersonaNotFound."""
    try:
        return personas.get(persona_id)
    except PersonaNotFound as unknown:
        try:
            personas.draft(persona_id)
        except DraftNotFound:
            raise unknown from None
        return None


def drafted_examples(persona_id: str, raw: dict[str, Any]) -> tuple[GoldenPrompt, ...]:
    """A draft's own examples; none while it has errors."""
    wrong = lint.errors(lint.check(raw, persona_id=persona_id))
    return () if wrong else examples(Cartridge.of(raw))


def examples(cartridge: Cartridge) -> tuple[GoldenPrompt, ...]:
    """A cartridge's own examples as golden prompts."""
    return tuple(
        GoldenPrompt(f"Example {number}", turn.user, turn.assistant)
        for number, turn in enumerate(cartridge.examples, 1)
    )


def nightly() -> list[GoldenSet]:
    """Those that are asked each night."""
    return [to_set(row) for row in GoldenSetRow.objects.filter(nightly=True).order_by("persona_id")]


def run(persona_id: str, run_id: UUID) -> Run:
    """One run with its replies. Raises RunNotFound."""
    row = RunRow.objects.filter(pk=run_id, persona_id=persona_id).first()
    if row is None:
        raise RunNotFound("There is no such run.")
    return to_run(row)


def page(
    persona_id: str, *, version: int | None = None, limit: int | None = None, cursor: str | None = None
) -> Page[Run]:
    """A persona's runs, newest first, without their replies; of one version where asked (0: of drafts)."""
    size, before = check_limit(limit), decode_cursor(cursor)
    rows = RunRow.objects.filter(persona_id=persona_id).defer("replies", "cartridge").order_by("-id")
    if version is not None:
        rows = rows.filter(version=version or None)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return cut([to_run(row, replies=False) for row in rows[: size + 1]], size, key=lambda found: found.id)


def standings(persona_id: str) -> list[VersionStanding]:
    """The last finished run of each version, newest version first, with what changed since the version before that was
    asked too."""
    found = _last_runs(persona_id)
    rows = RunRow.objects.defer("replies", "cartridge").in_bulk(list(found.values()))
    newest = [version for version in sorted(found, reverse=True) if found[version] in rows][:_STANDINGS]
    runs = [to_run(rows[found[version]], replies=False) for version in newest]
    return [
        VersionStanding(version, one, _change(one, before))
        for version, one, before in zip(newest, runs, [*runs[1:], None], strict=False)
    ]


def _last_runs(persona_id: str) -> dict[int, UUID]:
    """The last finished run of each version that was asked, be it as the draft that it was published from."""
    rows = RunRow.objects.filter(persona_id=persona_id, state=State.DONE).order_by("id")
    asked = list(rows.values_list("id", "version", "digest"))
    drafted = {digest: pk for pk, version, digest in asked if version is None}
    found = {version: pk for pk, version, _ in asked if version is not None}
    for version, digest in personas.published_as(persona_id, list(drafted)):
        found[version] = max(drafted[digest], found.get(version, drafted[digest]))
    return found


def draft_standing(persona_id: str, digest: str, *, asked: str | None = None) -> Run | None:
    """The last finished run of this very document; ``asked`` narrows to those that asked this (``asked_digest``)."""
    rows = RunRow.objects.filter(persona_id=persona_id, digest=digest, state=State.DONE)
    if asked is not None:
        rows = rows.filter(asked_digest=asked)
    row = rows.defer("replies", "cartridge").order_by("-id").first()
    return to_run(row, replies=False) if row is not None else None


def said_before(persona_id: str, version: int | None) -> dict[str, str]:
    """What the newest asked version before this one answered, by prompt; before a draft, any version is."""
    runs = _last_runs(persona_id)
    before = max((one for one in runs if version is None or one < version), default=None)
    row = RunRow.objects.filter(pk=runs[before]).first() if before is not None else None
    return {one["prompt"]: one["answer"] for one in row.replies if one.get("answer")} if row is not None else {}


def _change(run: Run, before: Run | None) -> float | None:
    now, then = run.drift_percent, before.drift_percent if before is not None else None
    return None if now is None or then is None else round(now - then, 2)


def to_set(row: GoldenSetRow) -> GoldenSet:
    return GoldenSet(
        row.persona_id, tuple(GoldenPrompt.of(one) for one in row.prompts), row.model, row.judge_model,
        row.tolerance_percent, row.nightly, row.required, row.revision, row.updated_at, row.updated_by,
    )  # fmt: skip


def to_run(row: RunRow, *, replies: bool = True) -> Run:
    """The row as it stands. One whose operation ended without finishing it has failed, whoever died."""
    state, error = State(row.state), row.error
    if state is State.RUNNING and row.operation_id and (lost := operations.failure(row.operation_id)) is not None:
        state, error = State.FAILED, lost
    found: Sequence[dict[str, object]] = row.replies if replies else ()
    return Run(
        id=row.id,
        persona_id=row.persona_id,
        version=row.version,
        digest=row.digest,
        asked_digest=row.asked_digest,
        reason=Reason(row.reason),
        state=state,
        model=row.model,
        judge_model=row.judge_model,
        tolerance_percent=row.tolerance_percent,
        total=len(row.prompts),
        done=row.asked,
        scores=Scores(row.similarity, row.rubric, row.judge, row.consistency),
        missing=tuple(Missing(Lack(one["what"]), one["count"], one["code"]) for one in row.missing),
        error=error,
        replies=tuple(found),
        operation_id=row.operation_id,
        started_at=row.started_at,
        started_by=row.started_by,
        finished_at=row.finished_at,
    )
