"""What is measured knows nothing of what it is measured with."""

from __future__ import annotations

from tests.architecture.names import imported_modules, under
from tests.architecture.tree import Source, sources
from tests.bench.memory.dsl import domains, facts

_MEASURES = {"tests", "rank_bm25"}


def _bench_imports(source: Source) -> list[str]:
    return [f"{source.path}:{line}" for line, module in imported_modules(source.tree) if under(module, _MEASURES)]


def test_product__whole_tree__never_imports_the_bench_or_its_baseline() -> None:
    assert [place for source in sources() for place in _bench_imports(source)] == []


def test_bench_imports__planted__are_found() -> None:
    planted = "from tests.bench.memory.generate import generate\nimport rank_bm25\n"
    assert len(_bench_imports(Source("gateway/knowledge/memory/recall.py", planted))) == 2


def test_recall__its_source__holds_no_word_list_of_the_sets() -> None:
    """A ranking that knew the sets' slots by name would win by construction."""
    names = {domain.name for domain in domains() if "_" in domain.name} | {fact.name for fact in facts("slots")}
    recall = [source for source in sources() if source.path.startswith("gateway/knowledge/memory/recall")]
    assert recall
    assert [(source.path, name) for source in recall for name in sorted(names) if f'"{name}"' in source.text] == []
