"""What recall is compared with: plain BM25 by a published implementation, and the dense model alone.

Both search the words of a memory with its speaker, over exactly the memories that the question may see. BM25 is
``rank_bm25.BM25Okapi`` with its default parameters over PostgreSQL's English lexemes (lower-cased, stemmed, without
stop words): the same dictionary as the product's, so that the difference is the ranking's and not the stemmer's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rank_bm25 import BM25Okapi

from tests.bench.memory.dataset import Dataset

Vectors = Callable[[Sequence[str]], Any]
Lexemes = Callable[[Sequence[str]], list[list[str]]]
Ranking = dict[str, list[str]]  # question key -> memory keys, best first

DEPTH = 20

_LEXEMES = """
SELECT n, array_agg(t.lexeme) FROM unnest(%s::text[]) WITH ORDINALITY AS x(words, n)
CROSS JOIN LATERAL unnest(to_tsvector('pg_catalog.english', words)) AS t
CROSS JOIN LATERAL unnest(t.positions) GROUP BY n
"""


def lexemes(cursor: Any, texts: Sequence[str]) -> list[list[str]]:
    """The lexemes of each text, one as often as it stands there. ``cursor`` is of any PostgreSQL."""
    cursor.execute(_LEXEMES, [list(texts)])
    found = dict(cursor.fetchall())
    return [found.get(number, []) for number in range(1, len(texts) + 1)]


def bm25(data: Dataset, split: Lexemes) -> Ranking:
    """The best ``DEPTH`` memories of each question by plain BM25; those without a word in common are not ranked."""
    words = _table([turn.words for turn in data.turns], split)
    asked = _table([question.text for question in data.questions], split)
    ranking: Ranking = {}
    for person in data.people:
        indexes: dict[tuple[str, ...], BM25Okapi] = {}
        for question in person.questions:
            seen = person.visible(question)
            keys = tuple(turn.key for turn in seen)
            if keys not in indexes:
                indexes[keys] = BM25Okapi([words[turn.words] for turn in seen])
            scores = indexes[keys].get_scores(asked[question.text])
            ranking[question.key] = [keys[at] for at in np.argsort(-scores, kind="stable")[:DEPTH] if scores[at] > 0]
    return ranking


def dense(data: Dataset, embed: Vectors) -> Ranking:
    """The best ``DEPTH`` memories of each question by cosine alone; ``embed`` gives normalised rows."""
    texts = list(dict.fromkeys(turn.words for turn in data.turns))
    asked = [question.text for question in data.questions]
    rows = np.asarray(embed([*texts, *asked]), dtype=np.float32)
    at = {text: number for number, text in enumerate(texts)}
    queries = {question.key: rows[len(texts) + number] for number, question in enumerate(data.questions)}
    ranking: Ranking = {}
    for person in data.people:
        for question in person.questions:
            seen = person.visible(question)
            scores = rows[[at[turn.words] for turn in seen]] @ queries[question.key]
            ranking[question.key] = [seen[best].key for best in np.argsort(-scores, kind="stable")[:DEPTH]]
    return ranking


def _table(texts: Sequence[str], split: Lexemes) -> dict[str, list[str]]:
    different = list(dict.fromkeys(texts))
    return dict(zip(different, split(different), strict=True))
