"""Embeddings with the official OpenAI client for Python."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.contract.clients.support import client, seen, tagged
from tests.harness import Gateway, eventually


@pytest.mark.parametrize("model", ["openai/fake:normal", "openai/fake:normal,packed=1", "ikiro/sandbox"])
@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_create__in_any_encoding__gives_vectors_of_the_size_asked_for(
    front: Gateway, model: str, more: dict[str, Any]
) -> None:
    with client(front.acme) as ai:
        answer = ai.embeddings.create(model=model, input=["green tea", "black coffee"], dimensions=8, **more)
    assert [row.index for row in answer.data] == [0, 1]
    if more.get("encoding_format") == "base64":
        assert all(isinstance(row.embedding, str) for row in answer.data)
    else:
        assert all(len(row.embedding) == 8 and isinstance(row.embedding[0], float) for row in answer.data)
    assert answer.usage.prompt_tokens == 4


@pytest.mark.parametrize("given", ["one text", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
@pytest.mark.parametrize("model", ["openai/fake:normal", "ikiro/sandbox"])
def test_create__of_text_or_tokens__gives_one_vector_each(front: Gateway, model: str, given: Any) -> None:
    count = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    with client(front.acme) as ai:
        answer = ai.embeddings.create(model=model, input=given)
    assert len(answer.data) == count


def test_sandbox__the_same_words__are_near_and_it_says_what_it_is(front: Gateway) -> None:
    with client(front.acme) as ai:
        answer = ai.embeddings.create(model="ikiro/sandbox", input=["green tea", "tea, green", "a tax return"])
    first, second, other = (row.embedding for row in answer.data)
    near, far = (sum(a * b for a, b in zip(first, one, strict=True)) for one in (second, other))
    assert near > far
    assert (answer.model_extra or {})["method"] == "feature-hashing"


def test_anthropic__has_none__and_it_says_so(front: Gateway, upstream: Any) -> None:
    model, tag = tagged("anthropic/fake:normal")
    with client(front.acme) as ai, pytest.raises(openai.BadRequestError, match="embeddings") as raised:
        ai.embeddings.create(model=model, input="hello")
    assert raised.value.code == "shape_not_served"
    assert seen(upstream, tag) == []


def test_usage__of_a_call__is_in_the_ledger(front: Gateway) -> None:
    with client(front.acme) as ai:
        raw = ai.embeddings.with_raw_response.create(model="openai/fake:normal", input=["green tea", "black coffee"])
    with front.acme.client() as http:

        def record() -> Any:
            found = http.get(f"/v1/requests/{raw.headers['x-request-id']}")
            row = found.json() if found.status_code == 200 else {}
            return row if row.get("usage_source") else None

        usage = eventually(record, within=20)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 0)
