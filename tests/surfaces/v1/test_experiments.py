"""Two versions of a persona side by side, in front of the running product; two organizations."""

from __future__ import annotations

import secrets
from collections import defaultdict
from typing import Any

import httpx
import pytest

from gateway.knowledge.personas.defaults import default_cartridge
from tests.harness import eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body

acme, globex = clients.acme, clients.globex

SUBJECTS = 24


@pytest.fixture
def persona(acme: httpx.Client, globex: httpx.Client) -> str:
    """A persona of two versions, of the same name in both organizations."""
    name = f"tried-{secrets.token_hex(4)}"
    cartridge = {**default_cartridge("Acme"), "id": name}
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge}).raise_for_status()
        warmer = {**cartridge, "meta": {"version": "1.1.0", "notes": "warmer"}}
        client.put(f"/v1/personas/{name}", json={"cartridge": warmer}).raise_for_status()
    return name


def talk(client: httpx.Client, persona: str, subject: str, text: str = "Hello", **more: Any) -> dict[str, Any]:
    return dict(client.post("/v1/chat", json=body(subject, text, persona_id=persona, **more)).raise_for_status().json())


def test_experiment__running__splits_subjects_for_new_conversations_and_shows_both_arms(acme, globex, persona):
    before = talk(acme, persona, "early")
    path = f"/v1/personas/{persona}/experiments"
    made = acme.post(path, json={"name": "Warmer", "version_a": 2, "version_b": 1, "share_percent": 50})
    assert made.status_code == 201, made.text
    seen: dict[int, set[str]] = defaultdict(set)
    for number in range(SUBJECTS):
        subject = f"subject-{number}"
        first = talk(acme, persona, subject, "I need legal help" if number % 2 else "Hello")
        again = talk(acme, persona, subject)
        assert first["persona_version"] == again["persona_version"]
        seen[first["persona_version"]].add(subject)
    assert len(seen[1]) + len(seen[2]) == SUBJECTS
    assert min(len(seen[1]), len(seen[2])) > 2
    # A conversation keeps its version, a call that asks for one gets it, and nobody else takes part.
    kept = talk(acme, persona, "early", conversation_id=before["conversation_id"])
    assert kept["persona_version"] == 2
    assert talk(acme, persona, "subject-0", persona_version=2)["persona_version"] == 2
    assert {talk(globex, persona, f"subject-{number}")["persona_version"] for number in range(6)} == {2}

    def counted() -> dict[str, Any] | None:
        shown = acme.get(f"{path}/{made.json()['id']}").raise_for_status().json()
        return shown if sum(arm["calls"] for arm in shown["results"]) >= 2 * SUBJECTS + 1 else None

    shown = eventually(counted, within=30)
    arms = {arm["version"]: arm for arm in shown["results"]}
    assert arms[1]["subjects"] == len(seen[1])
    assert (arms[1]["errors"], arms[1]["calls"]) == (0, 2 * len(seen[1]))
    assert 0 < arms[1]["redirect_rate"] < 1
    assert arms[2]["latency_p50_ms"] is not None


def test_experiment__stopped_keeping_b__publishes_it_as_the_newest_once(acme, globex, persona):
    path = f"/v1/personas/{persona}/experiments"
    made = acme.post(path, json={"name": "Back", "version_b": 1, "share_percent": 99}).json()
    assert (made["version_a"], made["results"]) == (2, None)
    second = acme.post(path, json={"name": "Another", "version_b": 1})
    assert (second.status_code, second.json()["code"], second.json()["experiment_id"]) == (
        409, "experiment_running", made["id"],
    )  # fmt: skip
    stopped = [acme.post(f"{path}/{made['id']}/stop", json={"keep": "b"}) for _ in range(2)]
    assert [(one.status_code, one.json()["kept"]) for one in stopped] == [(200, "b")] * 2
    assert acme.get(f"/v1/personas/{persona}").json()["version"] == 3
    assert globex.get(f"/v1/personas/{persona}").json()["version"] == 2
    otherwise = acme.post(f"{path}/{made['id']}/stop", json={"keep": "a"})
    assert (otherwise.status_code, otherwise.json()["code"]) == (409, "experiment_stopped")
    assert talk(acme, persona, "anybody")["persona_version"] == 3
    actions = [one["action"] for one in acme.get("/v1/audit", params={"persona_id": persona}).json()["data"]]
    assert actions.count("experiment.stopped") == 1
    assert globex.get(path).json()["data"] == []
    assert globex.get(f"{path}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"name": "x", "version_b": 2}, 422, "invalid_request"),
        ({"name": "x", "version_b": 9}, 404, "persona_version_not_found"),
        ({"name": "x", "version_b": 1, "share_percent": 100}, 422, "invalid_request"),
    ],
    ids=["same-version", "no-such-version", "everybody"],
)
def test_experiment__that_cannot_be__is_refused_and_none_runs(acme, globex, persona, sent, status, code):
    path = f"/v1/personas/{persona}/experiments"
    answer = acme.post(path, json=sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert [client.get(path).json()["data"] for client in (acme, globex)] == [[], []]
