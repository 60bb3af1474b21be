"""One way to ask a whole set: through whatever answers a question with memory ids, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.memory.dataset import Dataset, Question

# question, at most so many, cut by score -> memory ids
Answer = Callable[[Question, int, bool], list[Any]]


def ask_all(
    questions: Sequence[Question], answer: Answer, keys: dict[Any, str], *, k: int = 20, only_relevant: bool = False
) -> dict[str, list[str]]:
    """The keys of what each question found. Raises KeyError for a memory that is not of this set: a leak."""
    found = {}
    for question in questions:
        memories = answer(question, k, only_relevant)
        found[question.key] = [keys[memory] for memory in memories]
        if any(not key.startswith(f"{question.subject}-") for key in found[question.key]):
            raise LeakedError(question, found[question.key])
    return found


class LeakedError(AssertionError):
    """A memory of somebody else came back."""

    def __init__(self, question: Question, found: list[str]) -> None:
        super().__init__(f"{question.key} found {found}")


def embedded(data: Dataset, embed: Callable[[Sequence[str]], Any]) -> dict[str, Any]:
    """The embedding of every memory's words and of every question."""
    texts = list(dict.fromkeys([turn.words for turn in data.turns] + [one.text for one in data.questions]))
    return dict(zip(texts, embed(texts), strict=True))
