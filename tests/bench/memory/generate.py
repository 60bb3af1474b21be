"""The data set of one seed. The same seed gives the same set on every machine.

``python -m tests.bench.memory.generate --seed 11`` prints what is in it, with a few examples.
"""

from __future__ import annotations

import argparse
from collections import Counter

from tests.bench.memory.dataset import TUNING, Dataset
from tests.bench.memory.questions import Asker, check
from tests.bench.memory.story import Writer

SUBJECTS, MEMORIES = 40, 300


def generate(seed: int, *, subjects: int = SUBJECTS, memories: int = MEMORIES, times: int = 1) -> Dataset:
    """``subjects`` people with ``memories`` memories (a few more, where their stories take more) and about ``times``
    forty questions each."""
    people = []
    for number in range(subjects):
        life = Writer(seed, number, memories).write()
        life.person.questions = Asker(life, seed).ask(times)
        check(life.person)
        people.append(life.person)
    return Dataset(seed, people)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, choices=TUNING, default=TUNING[0])
    parser.add_argument("--show", type=int, default=0, help="print this many of the first subject's memories")
    options = parser.parse_args()
    data = generate(options.seed)
    print(len(data.people), "subjects", len(data.turns), "memories", len(data.questions), "questions")
    print(dict(Counter(question.kind for question in data.questions)))
    print({"fates": dict(Counter(turn.fate or "stays" for turn in data.turns))})
    person = data.people[0]
    for turn in sorted(person.turns, key=lambda turn: turn.occurred_at)[: options.show]:
        print(f"{turn.occurred_at:%Y-%m-%d %H:%M} {turn.source:8} {turn.fate:10} {turn.words}")
    for question in person.questions[: options.show]:
        print(question.kind, "|", question.text, "|", question.evidence)


if __name__ == "__main__":
    main()
