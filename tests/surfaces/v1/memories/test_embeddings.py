"""What is stored over HTTP is embedded by the running product, by the built-in model or an organization's own endpoint,
and found again by its meaning."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.embedding import Embedder
from tests.harness import Gateway, Org, eventually

BUILT_IN = {
    "source": "built_in",
    "model": None,
    "dimensions": None,
    "shorten": False,
    "space": "ikiro/all-minilm-l6-v2",
}
CHOICE = {"source", "model", "dimensions", "shorten", "space"}


def _back(org: Org) -> Iterator[httpx.Client]:
    with org.client() as client:
        yield client
        client.put("/v1/embeddings/settings", json={"model": None})
        for provider in client.get("/v1/providers?limit=100").json()["data"]:
            client.delete(f"/v1/providers/{provider['id']}")


@pytest.fixture
def acme(gateway: Gateway, embedder: Embedder, upstream: Any) -> Iterator[httpx.Client]:
    embedder.ready()
    upstream.reset()
    yield from _back(gateway.acme)


@pytest.fixture
def globex(gateway: Gateway, embedder: Embedder) -> Iterator[httpx.Client]:
    yield from _back(gateway.globex)


def settings(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/v1/embeddings/settings")
    assert answer.status_code == 200, answer.text
    return answer.json()


def all_embedded(client: httpx.Client) -> dict[str, Any] | None:
    found = settings(client)
    return found if found["pending"] == 0 and found["embedded"] else None


def store(client: httpx.Client, subject_id: str, *texts: str) -> None:
    for text in texts:
        body = {"subject_id": subject_id, "text": text, "provenance": {"source": "chat"}}
        answer = client.post("/v1/memories", json=body)
        assert answer.status_code in (200, 201), answer.text


def found(client: httpx.Client, subject_id: str, query: str) -> list[str]:
    answer = client.post("/v1/memories/recall", json={"subject_id": subject_id, "query": query, "k": 1})
    assert answer.status_code == 200, answer.text
    return [one["text"] for one in answer.json()["data"]]


def provider(client: httpx.Client, upstream: Any) -> str:
    key = f"sk-{secrets.token_hex(16)}"
    body = {"name": "vectors", "kind": "openai", "base_url": upstream.base_url, "api_key": key}
    assert client.post("/v1/providers", json=body).status_code == 201
    return key


def embeddings_seen(upstream: Any) -> list[dict[str, Any]]:
    return [one for one in upstream.calls() if one["path"].endswith("/embeddings")]


def test_memory__stored_over_http__is_embedded_and_found_by_a_paraphrase(
    acme: httpx.Client, globex: httpx.Client
) -> None:
    subject = f"usr_{secrets.token_hex(4)}"
    store(acme, subject, "She is allergic to peanuts.", "He commutes by train on Mondays.", "They adopted a puppy.")
    assert {name: settings(acme)[name] for name in CHOICE} == BUILT_IN
    eventually(lambda: all_embedded(acme), within=60)
    # No word in common with what was stored. On a busy machine a question may be too late for its vector once.
    for question, answer in (
        ("which foods must this person avoid", "She is allergic to peanuts."),
        ("did someone get a new pet dog", "They adopted a puppy."),
    ):
        eventually(lambda question=question, answer=answer: found(acme, subject, question) == [answer], within=20)
    assert found(globex, subject, "which foods must this person avoid") == []


def test_endpoint__of_an_organization__embeds_its_memories_alone_and_the_key_is_nowhere(
    acme: httpx.Client, globex: httpx.Client, upstream: Any, gateway: Gateway
) -> None:
    subject = f"usr_{secrets.token_hex(4)}"
    store(acme, subject, "The quiz is on Friday.")
    key = provider(acme, upstream)
    chosen = acme.put("/v1/embeddings/settings", json={"model": "vectors/text-small", "dimensions": 16})
    assert chosen.status_code == 200, chosen.text
    expected = {
        "source": "endpoint", "model": "vectors/text-small", "dimensions": 16, "shorten": False,
        "space": "vectors/text-small#16",
    }  # fmt: skip
    assert {name: chosen.json()[name] for name in CHOICE} == expected
    done = eventually(lambda: all_embedded(acme), within=60)
    assert {name: done[name] for name in CHOICE} == expected
    assert done["failed"] == 0
    assert {name: settings(globex)[name] for name in CHOICE} == BUILT_IN
    seen = embeddings_seen(upstream)
    assert {one["body"]["dimensions"] for one in seen} == {16}
    assert any("The quiz is on Friday." in one["body"]["input"] for one in seen)
    assert {one["headers"]["authorization"] for one in seen} == {f"Bearer {key}"}
    eventually(lambda: found(acme, subject, "when will the test be") == ["The quiz is on Friday."], within=20)
    assert ["when will the test be"] in [one["body"]["input"] for one in embeddings_seen(upstream)]
    back = acme.put("/v1/embeddings/settings", json={"model": None})
    assert {name: back.json()[name] for name in CHOICE} == BUILT_IN
    assert back.json()["embedded"] >= 0
    actions = [one["action"] for one in acme.get("/v1/audit?limit=50").json()["data"]]
    assert actions.count("organization.settings_changed") >= 2
    for process in (gateway.web, gateway.worker, gateway.scheduler):
        assert key not in process.output


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "nobody/text-small"}, 422, "embedding_unavailable"),
        ({"model": "vectors/fake:status,code=400", "dimensions": 16}, 422, "embedding_refused"),
        ({"model": "vectors/text-small", "dimensions": 513}, 422, "invalid_request"),
        ({"model": "text-small"}, 422, "invalid_request"),
        ({"model": "vectors/text-small", "size": 3}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
    ],
    ids=["no-such-provider", "refused", "too-wide", "no-provider", "unknown-field", "nothing"],
)
def test_settings__that_would_embed_nothing__are_refused_and_nothing_changes(
    acme: httpx.Client, upstream: Any, body: dict[str, Any], status: int, code: str
) -> None:
    provider(acme, upstream)
    answer = acme.put("/v1/embeddings/settings", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {name: settings(acme)[name] for name in CHOICE} == BUILT_IN


def test_settings__a_key_without_the_scope__is_refused_and_nothing_changes(acme: httpx.Client) -> None:
    made = acme.post("/v1/keys", json={"name": "reads", "scopes": ["providers:read"]})
    assert made.status_code == 201, made.text
    narrow = {"authorization": f"Bearer {made.json()['secret']}"}
    for method, path, given in (("PUT", "settings", {"model": None}), ("POST", "retry", None)):
        answer = acme.request(method, f"/v1/embeddings/{path}", json=given, headers=narrow)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert acme.get("/v1/embeddings/settings", headers=narrow).status_code == 200
    acme.delete(f"/v1/keys/{made.json()['id']}")


def test_retry__nothing_was_refused__says_so(acme: httpx.Client) -> None:
    assert acme.post("/v1/embeddings/retry").json() == {"retried": 0}


def test_endpoint__asked_what_a_turn_means__gets_only_what_policy_lets_out(
    acme: httpx.Client, globex: httpx.Client, upstream: Any
) -> None:
    subject = f"usr_{secrets.token_hex(4)}"
    for client in (acme, globex):
        provider(client, upstream)
        chosen = {"model": "vectors/text-small", "dimensions": 16}
        client.put("/v1/embeddings/settings", json=chosen).raise_for_status()
    blocklist = [{"name": "m", "phrases": ["the merger"], "input": "block"}]
    locks = {"redact_mode": "strict", "guardrails": {"blocklist": blocklist}}
    acme.put(f"/v1/policies/overlays/user/{subject}", json={"locks": locks}).raise_for_status()

    def asked(client: httpx.Client, text: str) -> tuple[int, list[str]]:
        upstream.reset()
        turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": subject}
        answer = client.post("/v1/chat", json={**turn, "messages": [{"role": "user", "content": text}]})
        return answer.status_code, [one for seen in embeddings_seen(upstream) for one in seen["body"]["input"]]

    mail = f"Who is {secrets.token_hex(4)}@example.com?"
    # Each worker learns of the choice a moment later, and another worker may still use the built-in model.
    eventually(lambda: asked(acme, f"{mail} Tell me") == (200, ["Who is [email]? Tell me"]) or None, within=20)
    status, seen = asked(acme, f"What about the merger {mail}")
    assert (status, seen) == (403, [])
    eventually(lambda: asked(globex, f"the merger {mail}")[1] == [f"the merger {mail}"] or None, within=20)
