"""What an overlay would have changed, held against what it does change: kept requests run again under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.requests.conftest import Said
from tests.surfaces.v1.requests.test_replay import storing

__all__ = ["storing"]
pytestmark = pytest.mark.usefixtures("storing")
PATH, ORG = "/v1/policies/what-if", "/v1/policies/overlays/organization"
TEXTS = (
    "Hello", "Tell me about the merger", "Mail ada@example.com", "What is due?", "The MERGER again", "Good night",
    "Where is the key?", "Merger, merger", "Call +49 30 901820", "And tomorrow?", "Who called?", "A merger?", "Bye",
)  # fmt: skip
TOOL = {"type": "function", "function": {"name": "shell_run", "parameters": {"type": "object"}}}
DRAFT = {
    "locks": {
        "redact_mode": "strict",
        "denied_tools": ["shell*"],
        "dont": ["Mention prices"],
        "max_output_tokens": 40,
        "guardrails": {"blocklist": [{"name": "secret-deal", "phrases": ["merger"], "input": "block"}]},
    },
    "defaults": {"disclaimers": ["No legal advice"]},
}


@pytest.fixture
def clean(client: httpx.Client) -> Iterator[None]:
    """The organization's overlay is empty before and after."""
    empty: dict[str, Any] = {"locks": {}, "defaults": {}}
    client.put(ORG, json=empty).raise_for_status()
    yield
    client.put(ORG, json=empty).raise_for_status()


def stored(client: httpx.Client, answer: httpx.Response) -> str:
    """The request's id, once its body is kept and its record written."""
    request_id = answer.headers["x-request-id"]
    eventually(lambda: client.get(f"/v1/requests/{request_id}/body").status_code == 200, within=30)
    eventually(lambda: client.get(f"/v1/requests/{request_id}").json().get("latency_ms") is not None, within=30)
    return request_id


def values(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """What a request was decided to be, of all that what-if speaks of."""

    def decided() -> list[dict[str, Any]] | None:
        answer = client.get(f"/v1/requests/{request_id}")
        return answer.json()["decisions"] if answer.status_code == 200 else None

    lines = {one["stage"]: one for one in eventually(decided, within=30)}
    trace = lines["policy"]["values"]
    found = {one["field"]: one["value"] for one in trace}
    return {
        "redact_mode": found["redact_mode"],
        "max_output_tokens": found.get("max_output_tokens"),
        "dont": {one["value"] for one in trace if one["field"] == "dont"},
        "disclaimers": {one["value"] for one in trace if one["field"] == "disclaimers"},
    }


@pytest.mark.usefixtures("clean")
def test_what_if__a_draft__predicts_every_decision_of_a_real_run_again(client, say: Said, gateway: Gateway):
    fields: list[dict[str, Any]] = [{}, {"max_tokens": 20}, {"redact_mode": "strict"}, {"tools": [TOOL]}]
    asked = [stored(client, say(text, **more)) for text in TEXTS for more in fields]
    found = client.post(PATH, json={**DRAFT, "days": 1, "show": 200}).raise_for_status().json()
    changed = {one["request_id"]: one for one in found["data"]}
    assert set(asked) <= set(changed)  # the disclaimer alone changes each
    assert found["evaluated"] + sum(found["unreadable"].values()) == found["requests"]
    assert found["coverage"] == round(found["evaluated"] / found["requests"], 4)
    mine = [changed[request_id] for request_id in asked]
    # Thirteen texts, four with the word, four wishes each, one of them for the tool: 16 + 9 of 52.
    assert [one["refused_after"] for one in mine].count(True) == 25
    assert not any(one["refused_before"] for one in mine)
    assert found["newly_refused"] >= 25
    client.put(ORG, json=DRAFT).raise_for_status()
    for request_id in asked:
        predicted = changed[request_id]
        again = client.post(f"/v1/requests/{request_id}/replay", json={})
        assert (again.status_code == 403) is predicted["refused_after"], (predicted, again.text)
        if again.status_code == 403:
            assert again.json()["code"] == predicted["changes"]["code"]["after"]
            continue
        real = values(client, again.headers["x-request-id"])
        before = values(client, request_id)
        for name in ("redact_mode", "max_output_tokens"):
            expected = predicted["changes"].get(name, {}).get("after", before[name])
            assert real[name] == expected, (name, predicted)
        for name in ("dont", "disclaimers"):
            assert real[name] == set(predicted["changes"][name]["after"])
    with gateway.globex.client() as other:
        theirs = other.post(PATH, json={**DRAFT, "days": 1, "show": 200}).raise_for_status().json()
    assert not {one["request_id"] for one in theirs["data"]} & set(asked)


@pytest.mark.usefixtures("clean")
def test_what_if__for_one_subject__changes_only_theirs_and_writes_nothing(client, say: Said, subject: str, gateway):
    mine, other = stored(client, say("Hi")), stored(client, say("Hi", subject_id=f"{subject}-other"))
    before = client.get(ORG).json()
    draft = {"level": "user", "target": subject, "locks": {"denied_models": ["ikiro/*"]}, "days": 1, "show": 200}
    found = client.post(PATH, json=draft).raise_for_status().json()
    changed = {one["request_id"]: one for one in found["data"]}
    assert (mine in changed, other in changed) == (True, False)
    assert changed[mine]["changes"]["code"] == {"before": None, "after": "policy_refused"}
    assert changed[mine]["changes"]["line"]["after"] == "denied_models"
    assert client.get(ORG).json() == before
    assert say("Hi").status_code == 200
    wrong = client.post(PATH, json={"level": "user", "target": ""})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_overlay")
    with gateway.globex.client() as stranger:
        assert mine not in str(stranger.post(PATH, json=draft).json())
