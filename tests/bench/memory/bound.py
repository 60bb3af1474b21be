"""What bounding the candidates of the dense part costs: the same subject asked with the bound on and off.

The bound is a constant of the product's statement, so this asks the product's service in this process, on the running
product's data.
"""

from __future__ import annotations

import os
from typing import Any

from tests.bench.memory import metrics
from tests.bench.memory.ask import ask_all
from tests.bench.memory.dataset import Dataset, Question
from tests.bench.memory.load import Loaded
from tests.bench.memory.product import Product
from tests.bench.memory.report import note

_ALL, _NONE = 10**9, 0


def measure(product: Product, data: Dataset, loaded: Loaded, vectors: dict[str, Any]) -> None:
    """Prints recall@10 of one set's subjects both ways, and from how many memories on the product bounds."""
    os.environ.update({name: value for name, value in product.gateway.env.items() if name.startswith("IKIRO_")})
    os.environ["DJANGO_SETTINGS_MODULE"] = product.gateway.env["DJANGO_SETTINGS_MODULE"]
    import django

    django.setup()
    from gateway.knowledge.memory import recall_statement
    from gateway.knowledge.memory.recall import recall
    from gateway.knowledge.memory.types import Meaning, RecallQuery
    from tenants import selectors
    from tenants.context import scope

    def answer(question: Question, k: int, only_relevant: bool) -> list[Any]:
        meaning = Meaning(product.model_id, tuple(map(float, vectors[question.text])))
        query = RecallQuery(
            loaded.subjects[question.subject], question.text, k=k, as_of=question.as_of, known_at=question.known_at,
            only_relevant=only_relevant, meaning=meaning,
        )  # fmt: skip
        return [memory.id for memory in recall(query, ttl_s=0).memories]

    usual = recall_statement.EXACT_UP_TO
    figures = {}
    with scope(selectors.organization_by_slug("acme").ref):
        for bound in (_ALL, _NONE):
            recall_statement.EXACT_UP_TO = bound
            try:
                found = ask_all(data.questions, answer, loaded.keys, k=10)
            finally:
                recall_statement.EXACT_UP_TO = usual
            figures[bound] = metrics.recall(data.questions, found)
    note(f"candidates are bounded above {usual} memories; recall@10 with all compared {figures[_ALL]:.1f}, bounded "
         f"{figures[_NONE]:.1f}: {figures[_ALL] - figures[_NONE]:.1f} points lost by bounding")  # fmt: skip
