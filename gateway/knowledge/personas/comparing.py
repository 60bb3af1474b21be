"""Two versions of a persona, or one and the draft, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.core.errors import BadRequest, FieldProblem
from gateway.knowledge.personas import diff, lint, selectors
from gateway.knowledge.personas.compile import compile_for
from gateway.knowledge.personas.types import Cartridge, Mode


@dataclass(frozen=True, slots=True)
class Comparison:
    """``before`` and ``after`` name the sides (a number or ``draft``); ``prompt`` is None where one of them is a draft
    with errors, which compiles to nothing."""

    before: str
    after: str
    changes: list[diff.FieldChange]
    prompt: diff.PromptChange | None


def compare(persona_id: str, before: str, after: str, *, stage: str | None, mode: Mode) -> Comparison:
    """What differs. A side is a version's number, ``current`` or ``draft``. Raises BadRequest for another word,
    PersonaNotFound, PersonaVersionNotFound, DraftNotFound."""
    (left, was), (right, will) = _side(persona_id, before, "from"), _side(persona_id, after, "to")
    prompts = [compile_for(Cartridge.of(raw), stage=stage, mode=mode) for raw in (was, will) if _compiles(raw)]
    change = diff.prompt(prompts[0], prompts[1]) if len(prompts) == 2 else None
    return Comparison(left, right, diff.fields(was, will), change)


def _side(persona_id: str, name: str, parameter: str) -> tuple[str, dict[str, Any]]:
    if name == "draft":
        return name, selectors.draft(persona_id).raw
    if name == "current":
        version = selectors.version(persona_id, selectors.get(persona_id).current_version)
    elif name.isascii() and name.isdigit():
        version = selectors.version(persona_id, int(name))
    else:
        problem = FieldProblem(f"#/query/{parameter}", "not_a_version", "must be a number, current or draft")
        raise BadRequest(f"{parameter} {problem.message}.", problems=(problem,))
    return str(version.version), version.raw


def _compiles(raw: dict[str, Any]) -> bool:
    return not lint.breaks_schema(raw)
