"""Quality: a held-out set in the running product, asked over HTTP, against both baselines."""

from __future__ import annotations

from typing import Any

import httpx

from gateway.core import ids
from tests.bench.memory import baselines, metrics
from tests.bench.memory.ask import ask_all, embedded
from tests.bench.memory.dataset import ANSWERABLE, FORGOTTEN, SILENCED, Dataset
from tests.bench.memory.generate import generate
from tests.bench.memory.load import Loaded, load
from tests.bench.memory.product import Product
from tests.bench.memory.report import Report, note, table
from tests.harness import Org

KS = (5, 10, 20)


def measure(product: Product, report: Report, seeds: list[int]) -> None:
    """Each seed into its own subjects of acme, another seed's people under the same names into globex."""
    for seed in seeds:
        _measure(product, report, seed, first=seed == seeds[0])


def _measure(product: Product, report: Report, seed: int, *, first: bool) -> None:
    data = generate(seed)
    print(f"quality, seed {seed}: {len(data.people)} subjects, {len(data.turns)} memories, "
          f"{len(data.questions)} questions")  # fmt: skip
    vectors = embedded(data, product.embed)
    acme = product.gateway.acme
    with product.tenant(acme) as cursor:
        loaded = load(cursor, data.people, vectors=vectors, model_id=product.model_id, fates=False)
        words = baselines.bm25(data, lambda texts: baselines.lexemes(cursor, texts))
    alone = baselines.dense(data, lambda texts: [vectors[text] for text in texts])
    if first:
        _twins(product, data)
    _fates(acme, data, loaded)
    if first:
        _without_dense(product, data, loaded, words)
    answer = product.answering(acme)
    product.degraded = 0
    ours = ask_all(data.questions, answer, loaded.keys)
    cut = ask_all(data.questions, answer, loaded.keys, only_relevant=True)
    note(f"answered without the dense part, its 50 ms being over: {product.degraded} of {2 * len(data.questions)}")
    _figures(report, data, {"product": ours, "BM25": words, "dense alone": alone})
    _clean(report, data, cut)
    for name, found in (("recalled", ours), ("cut", cut)):
        hidden = {turn.key for person in data.people for turn in person.turns
                  if turn.fate in {"forgotten", "silenced", "expired"} or turn.source in person.revoked}  # fmt: skip
        came_back = sum(key in hidden for keys in found.values() for key in keys)
        came_back += len(metrics.leaks(data.questions, found))
        report.expect(f"{name} after forget, silence, revoke, expiry, supersession", came_back, most=0)
    note("recalled from another subject or organization: 0 (any would have stopped the run)")


def _figures(report: Report, data: Dataset, rankings: dict[str, dict[str, list[str]]]) -> None:
    at = {name: [metrics.recall(data.questions, found, k) for k in KS] for name, found in rankings.items()}
    table([f"recall@{k}" for k in KS], at)
    kinds = {name: metrics.by_kind(data.questions, found) for name, found in rankings.items()}
    table(
        [f"{name} @10" for name in rankings],
        {kind: [kinds[name][kind] for name in rankings] for kind in ANSWERABLE},
    )
    report.expect("recall@10 above plain BM25, points", at["product"][1] - at["BM25"][1], least=10)
    report.expect("recall@10 above dense alone, points", at["product"][1] - at["dense alone"][1], least=20)


def _clean(report: Report, data: Dataset, found: dict[str, list[str]]) -> None:
    cut = metrics.cut(data.questions, found)
    report.expect("most returned when cut by score", max(map(len, found.values())), most=5)
    report.expect("precision over what is returned, %", cut.precision, least=80)
    report.expect("nothing found, where there is no answer, %", cut.silent, least=80)
    note(f"of it by kind: {', '.join(f'{kind} {value:.0f}' for kind, value in cut.silent_by_kind.items())}")
    note(f"answerable questions that got evidence: {cut.answered:.1f} %")
    note(f"evidence alone is {cut.strict:.1f} % of what is returned, {cut.returned:.2f} memories a question")


def _without_dense(product: Product, data: Dataset, loaded: Loaded, words: dict[str, list[str]]) -> None:
    """The same with the embedder gone: recall degrades, and must not fail. Before anything else is asked, because a
    question's embedding is kept."""
    product.embedder.stop()
    product.degraded = 0
    try:
        asked = ask_all(data.questions, product.answering(product.gateway.acme), loaded.keys)
    finally:
        product.embedder.start().ready()
    if product.degraded != len(asked):
        raise SystemExit("an answer used the dense part although the embedder was gone")
    product.wait_whole(data.people[0].subject)
    table([f"recall@{k}" for k in KS], {"without dense": [metrics.recall(data.questions, asked, k) for k in KS]})
    gained = metrics.recall(data.questions, asked) - metrics.recall(data.questions, words)
    note(f"recall@10 without dense, above plain BM25: {gained:.1f} points")


def _twins(product: Product, data: Dataset) -> None:
    """The other organization knows other people under the same names."""
    other = generate(data.seed + 1, subjects=len(data.people), memories=60)
    for person, named in zip(other.people, data.people, strict=True):
        person.subject = named.subject
        for turn in person.turns:
            turn.subject = named.subject
    with product.tenant(product.gateway.globex) as cursor:
        load(cursor, other.people)


def _fates(org: Org, data: Dataset, loaded: Loaded) -> None:
    """Forget, silence and revoke, as a caller does."""
    with org.client() as client:
        for person in data.people:
            for source in person.revoked:
                path = f"/v1/subjects/{person.subject}/consents/{source}"
                _done(client.put(path, json={"granted": False}))
            for turn in person.turns:
                path = f"/v1/memories/{ids.public('mem', loaded.memories[turn.key])}"
                if turn.fate == FORGOTTEN:
                    _done(client.delete(path))
                elif turn.fate == SILENCED:
                    _done(client.post(f"{path}/silence"))


def _done(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise SystemExit(f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer.json()
