"""Overlays in shadow over HTTP: nothing that is asked, sent or answered tells of them; the record alone does."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.factories.people import People, committed_database, people
from tests.harness import Gateway, eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body, events_of

__all__ = ["committed_database", "people"]
acme, globex = clients.acme, clients.globex

ORG = "/v1/policies/overlays/organization"
REPORT, PROMOTE, EFFECTIVE = "/v1/policies/shadow-report", "/v1/policies/promote", "/v1/policies/effective"
MODEL, TEXT = "openai/gpt-4o-mini", "Tell me about the merger"
TOOL = {"type": "function", "function": {"name": "shell_run", "parameters": {"type": "object"}}}
LOCKS: dict[str, Any] = {
    "redact_mode": "strict",
    "dont": ["Mention prices"],
    "denied_tools": ["shell*"],
    "max_output_tokens": 7,
    "retention": {"body_days": 1},
    "write_targets": ["memory.*"],
    "guardrails": {
        "blocklist": [{"name": "deal", "phrases": ["merger"], "input": "block"}],
        "pii": {"email": {"output": "mask"}},
    },
}


@pytest.fixture
def subject() -> str:
    return f"watched-{secrets.token_hex(4)}"


@pytest.fixture
def path(acme: httpx.Client, subject: str) -> Iterator[str]:
    """The subject's overlay, which is away again afterwards, in both modes."""
    address = f"/v1/policies/overlays/user/{subject}"
    yield address
    for mode in ("enforce", "shadow"):
        acme.delete(address, params={"mode": mode})


@pytest.fixture
def own(gateway: Gateway) -> Iterator[httpx.Client]:
    """An organization whose calls nobody else makes, without overlays of the organization."""
    with gateway.org("in-shadow").client() as client:
        client.put(ORG, json={})
        yield client
        client.put(ORG, json={})
        client.delete(ORG, params={"mode": "shadow"})
        for alias in client.get("/v1/models/aliases").json()["data"]:
            client.delete(f"/v1/models/aliases/{alias['alias']}")


def shadow(client: httpx.Client, path: str, locks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(client.put(path, json={"mode": "shadow", "locks": locks, **more}).raise_for_status().json())


def record(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """What was kept of a call that has ended."""
    address = f"/v1/requests/{answer.headers['x-request-id']}"

    def ended() -> dict[str, Any] | None:
        found = client.get(address)
        return found.json() if found.status_code == 200 and found.json()["state"] != "open" else None

    return dict(eventually(ended, within=30))


def policy_line(found: dict[str, Any]) -> Any:
    return next(one["values"] for one in found["decisions"] if one["stage"] == "policy")


def said(answer: httpx.Response, *, stream: bool) -> list[Any]:
    """What the caller was answered, without what is each call's own."""
    assert answer.status_code == 200, answer.text
    if stream:
        return [data["delta"] for name, _, data in events_of(answer) if name == "content.delta"]
    found = answer.json()
    return [found["choices"], found["citations"], found["proposedWrites"], found.get("rejectedWrites"), found["model"]]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_turn__under_a_shadow_that_would_refuse_it__is_the_same_and_its_record_says_so(
    acme, globex, subject, path, upstream, stream
):
    upstream.reset()
    asked = body(subject, TEXT, model=MODEL, tools=[TOOL], stream=stream)
    without = acme.post("/v1/chat", json=asked)
    made = shadow(acme, path, LOCKS)
    under, other = acme.post("/v1/chat", json=asked), globex.post("/v1/chat", json=asked)
    assert said(under, stream=stream) == said(without, stream=stream)
    before, after, _ = (call["body"] for call in upstream.calls())
    assert after == before  # prompt, tools, limits: all that was sent
    told, same = record(acme, under), record(acme, without)
    assert policy_line(told) == policy_line(same)
    assert [one["stage"] for one in told["decisions"]] == [one["stage"] for one in same["decisions"]]
    assert (same["shadow"], record(globex, other)["shadow"]) == (None, None)
    found = told["shadow"]
    assert found["overlays"] == [{"name": f"user:{subject}", "version": made["version"]}]
    assert (found["refused_before"], found["refused_after"]) == (False, True)
    assert found["changes"] == {
        "code": {"before": None, "after": "policy_refused"},
        "line": {"before": None, "after": "denied_tools"},
        "model": {"before": MODEL, "after": None},
        "redact_mode": {"before": "default", "after": "strict"},
        "max_output_tokens": {"before": None, "after": 7},
        "write_targets": {"before": [], "after": [["memory.*"]]},
        "dont": {"before": found["changes"]["dont"]["before"], "after": [
            "Mention prices", *found["changes"]["dont"]["before"],
        ]},
        "body_days": {"before": None, "after": 1},
        "guardrails": {"before": [], "after": ["blocklist.deal"]},
        "answer_guardrails": {"before": [], "after": ["pii.email: mask"]},
    }  # fmt: skip
    assert acme.post("/v1/explain", json={**asked, "stream": False}).json()["would"] == "allowed"


def test_turn__refused_by_what_is_in_force__is_refused_the_same_and_would_be_let_through(acme, subject, path):
    acme.put(path, json={"locks": {"denied_tools": ["shell*"]}}).raise_for_status()
    asked = body(subject, "Hi", tools=[TOOL])
    without = acme.post("/v1/chat", json=asked)
    shadow(acme, path, {"dont": ["Mention prices"]})
    under = acme.post("/v1/chat", json=asked)
    own = {"request_id", "decisions", "decision", "instance"}
    shown = [{name: value for name, value in one.json().items() if name not in own} for one in (without, under)]
    assert (without.status_code, shown[0]) == (under.status_code, shown[1]) == (403, shown[0])
    assert "shadow" not in under.text
    assert [one["stage"] for one in under.json()["decisions"]] == [one["stage"] for one in without.json()["decisions"]]
    found = record(acme, under)["shadow"]
    assert (found["refused_before"], found["refused_after"]) == (True, False)
    assert found["changes"]["line"] == {"before": "denied_tools", "after": None}
    assert record(acme, without)["shadow"] is None


def test_shadow__watched_live__predicts_every_decision_after_its_promotion(acme, subject, path):
    texts = ("Hello", "The MERGER again", "Mail ada@example.com")
    wishes: list[dict[str, Any]] = [{}, {"max_tokens": 5}, {"redact_mode": "off"}, {"tools": [TOOL]}]
    turns = [body(subject, text, **more) for text in texts for more in wishes]
    made = shadow(acme, path, LOCKS)
    watched = [record(acme, acme.post("/v1/chat", json=turn).raise_for_status()) for turn in turns]
    acme.post(
        PROMOTE, json={"level": "user", "target": subject, "expected_version": made["version"]}
    ).raise_for_status()
    for turn, before in zip(turns, watched, strict=True):
        told = before["shadow"]
        answer = acme.post("/v1/chat", json=turn)
        assert (answer.status_code == 403) is told["refused_after"], (turn, told)
        if answer.status_code == 403:
            assert answer.json()["code"] == told["changes"]["code"]["after"]
            continue
        were, are = (
            {one["field"]: one["value"] for one in policy_line(found)} for found in (before, record(acme, answer))
        )
        for name in ("redact_mode", "max_output_tokens"):
            assert are.get(name) == told["changes"].get(name, {"after": were.get(name)})["after"], (name, turn, told)


def test_shadow__life_from_put_to_promote__binds_from_the_very_next_call(acme, globex, subject, path):
    assert acme.put(path, json={"locks": {"dont": ["Swear"]}}).json()["version"] == 1
    first = shadow(acme, path, {"denied_tools": ["x"]}, expected_version=0)
    stale = acme.put(path, json={"mode": "shadow", "locks": {}}, headers={"if-match": '"0"'})
    assert (stale.status_code, stale.json()["code"], stale.json()["mode"]) == (409, "version_conflict", "shadow")
    made = shadow(acme, path, {"denied_tools": ["shell*"]}, precedence=80)
    assert (first["mode"], first["id"], made["version"]) == ("shadow", made["id"], 2)
    assert acme.get(path).json()["locks"] == {"dont": ["Swear"]}
    assert acme.get(path, params={"mode": "shadow"}).json() == made
    assert globex.get(path, params={"mode": "shadow"}).status_code == 404
    listed = acme.get("/v1/policies/overlays", params={"target": subject, "mode": "shadow"}).json()["data"]
    assert listed == [made]
    asked = {"subject": subject}
    now, then = acme.get(EFFECTIVE, params=asked).json(), acme.get(EFFECTIVE, params={**asked, "shadow": True}).json()
    assert now["shadows"] == then["shadows"] == [{"name": f"user:{subject}", "version": 2}]
    assert (now["dont"], now["denied_tools"], then["dont"], then["denied_tools"]) == (["Swear"], [], [], ["shell*"])
    turn = body(subject, "Hi", tools=[TOOL])
    assert acme.post("/v1/chat", json=turn).status_code == 200
    target = {"level": "user", "target": subject}
    assert globex.post(PROMOTE, json={**target, "expected_version": 2}).status_code == 404
    seen = {**target, "expected_version": 1}
    assert acme.post(PROMOTE, json=seen).json()["code"] == "version_conflict"
    assert acme.post(PROMOTE, json=target).status_code == 422
    assert acme.post("/v1/chat", json=turn).status_code == 200
    promoted = acme.post(PROMOTE, json={**target, "expected_version": 2, "expected_in_force": 1}).raise_for_status()
    assert (promoted.json()["mode"], promoted.json()["version"], promoted.json()["precedence"]) == ("enforce", 2, 80)
    bound = acme.post("/v1/chat", json=turn)
    assert (bound.status_code, bound.json()["policy"]["set_by"]) == (403, f"user:{subject}")
    assert record(acme, bound)["shadow"] is None
    assert acme.get(path, params={"mode": "shadow"}).status_code == 404
    assert globex.post("/v1/chat", json=turn).status_code == 200


def test_promote__by_several_at_once__is_done_by_one_and_told_to_the_others(gateway, acme, subject, path):
    made = shadow(acme, path, {"dont": ["Shout"]})
    wanted = {"level": "user", "target": subject, "expected_version": made["version"]}

    def promote(number: int) -> httpx.Response:
        with gateway.acme.client() as client:
            if number % 2:
                changed = {"mode": "shadow", "locks": {}, "expected_version": made["version"]}
                return client.put(path, json=changed)
            return client.post(PROMOTE, json=wanted)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(promote, range(6)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409, 409, 409]
    for one in answers:
        if one.status_code == 409:
            assert (one.json()["current_version"], one.json()["updated_by"][:4]) == (2, "key:")
    won = next(one for one in answers if one.status_code == 200)
    in_force = acme.get(path)
    assert (in_force.status_code == 200) is (won.json()["mode"] == "enforce")


def test_pass_through__under_a_shadow_of_its_model__is_the_same_and_would_go_elsewhere(own, globex, upstream):
    upstream.reset()
    first, then = "openai/fake:normal", "openai/fake:normal,mark=then"
    own.put("/v1/models/aliases/shaded", json={"targets": [{"model": first}], "fallbacks": [then]}).raise_for_status()
    plain = {"messages": [{"role": "user", "content": "hi"}]}
    made = shadow(own, ORG, {"denied_models": [first]})

    def told(model: str) -> dict[str, Any]:
        answer = own.post("/v1/chat/completions", json={**plain, "model": model})
        assert answer.status_code == 200, answer.text
        assert upstream.calls()[-1]["body"]["model"] == "fake:normal"
        return dict(record(own, answer)["shadow"] or {})

    named = [{"name": "org", "version": made["version"]}]
    refused = eventually(lambda: told(first), within=10)
    assert refused == {
        "overlays": named, "refused_before": False, "refused_after": True, "changes": {
            "code": {"before": None, "after": "policy_refused"}, "line": {"before": None, "after": "denied_models"},
            "model": {"before": first, "after": None},
        },
    }  # fmt: skip
    elsewhere = told("shaded")
    assert (elsewhere["refused_after"], elsewhere["changes"]) == (False, {"model": {"before": first, "after": then}})
    turn = own.post("/v1/chat", json=body("anybody", "Hi", model="shaded")).raise_for_status()
    assert record(own, turn)["shadow"]["changes"] == elsewhere["changes"]
    other = globex.post("/v1/chat/completions", json={**plain, "model": first})
    assert (other.status_code, record(globex, other)["shadow"]) == (200, None)
    own.post(PROMOTE, json={"expected_version": made["version"]}).raise_for_status()
    ended = eventually(
        lambda: (one := own.post("/v1/chat/completions", json={**plain, "model": first})).status_code == 403 and one,
        within=10,
    )
    assert ended.json()["error"]["code"] == "policy_refused"


def test_report__of_a_window__counts_what_would_have_been(own, globex, subject):
    path = f"/v1/policies/overlays/user/{subject}"
    shadow(own, path, {"guardrails": {"blocklist": [{"name": "deal", "phrases": ["merger"], "input": "block"}]}})
    texts = ("Hello", "A merger?", "Good night", "The MERGER again")
    answers = [own.post("/v1/chat", json=body(subject, text)).raise_for_status() for text in texts]
    own.post("/v1/chat", json=body(f"{subject}-other", "A merger?")).raise_for_status()
    wanted = {"level": "user", "target": subject, "days": 1}

    def complete() -> dict[str, Any] | None:
        found = own.get(REPORT, params=wanted).raise_for_status().json()
        return found if found["evaluated"] == len(texts) else None

    found = eventually(complete, within=30)
    assert (found["changed"], found["newly_refused"], found["newly_allowed"]) == (2, 2, 0)
    assert found["by_decision"] == {"code": 2, "guardrails": 2, "line": 2, "model": 2}
    assert found["requests"] >= 5
    assert found["coverage"] == round(4 / found["requests"], 4)
    assert (found["truncated"], found["unreadable"]) == (False, {})
    ids = [one["request_id"] for one in found["data"]]
    assert ids == [answers[3].headers["x-request-id"], answers[1].headers["x-request-id"]]
    assert found["data"][0]["changes"]["code"] == {"before": None, "after": "guardrail_blocked"}
    assert len(own.get(REPORT, params={**wanted, "show": 1}).json()["data"]) == 1
    assert own.get(REPORT, params={**wanted, "target": f"{subject}-other"}).json()["evaluated"] == 0
    assert ids[0] not in str(globex.get(REPORT, params={"days": 1}).json())
    assert own.get(REPORT, params={"days": 0}).status_code == 422


def test_shadow__by_who_may_not__is_403_and_nothing_happened(acme, gateway: Gateway, people: People, subject, path):
    viewer, ref = people.member("viewer"), people.acme
    made = shadow(acme, path, {"dont": ["Shout"]})
    wanted = {"level": "user", "target": subject, "expected_version": made["version"]}
    narrow = acme.post("/v1/keys", json={"name": "narrow", "subject_ids": [f"{subject}-other"]}).json()["secret"]
    reading = acme.post("/v1/keys", json={"name": "reading", "scopes": ["policies:read"]}).json()["secret"]
    with gateway.acme.client(narrow) as other, gateway.acme.client(reading) as reader:
        for client, code in ((people.client(viewer, ref), None), (reader, None), (other, "subject_not_allowed")):
            refused = (
                client.put(path, json={"mode": "shadow", "locks": {}}),
                client.delete(path, params={"mode": "shadow"}),
                client.post(PROMOTE, json=wanted),
            )
            for answer in refused:
                assert answer.status_code == 403, answer.text
                assert code in (None, answer.json()["code"])
        assert reader.get(path, params={"mode": "shadow"}).json() == made
        assert other.get(path, params={"mode": "shadow"}).status_code == 403
        assert other.put(ORG, json={"mode": "shadow"}).status_code == 403
    stranger = httpx.post(f"{gateway.base_url}{PROMOTE}", json=wanted)
    assert stranger.status_code == 401
    assert acme.get(path, params={"mode": "shadow"}).json() == made
    assert acme.get(path).status_code == 404


def test_organization__its_shadow__ends_and_the_overlay_stays(own, globex):
    assert own.get(ORG, params={"mode": "shadow"}).json()["mode"] == "shadow"
    made = shadow(own, ORG, {"dont": ["Shout"]})
    enforced = own.get(ORG).json()
    assert own.delete(ORG).status_code == 422  # which of the two must be said
    assert own.delete(ORG, params={"mode": "enforce"}).status_code == 422
    stale = own.delete(ORG, params={"mode": "shadow"}, headers={"if-match": f'"{made["version"] - 1}"'})
    assert stale.status_code == 409
    assert own.delete(ORG, params={"mode": "shadow"}).json()["version"] == made["version"] + 1
    assert own.delete(ORG, params={"mode": "shadow"}).json()["code"] == "overlay_not_found"
    assert own.get(ORG).json() == enforced
    history = own.get("/v1/policies/versions", params={"level": "org", "mode": "shadow"}).json()["data"]
    assert [(one["mode"], one["deleted"]) for one in history[:2]] == [("shadow", True), ("shadow", False)]
    assert globex.get("/v1/policies/versions", params={"mode": "shadow", "level": "org"}).json()["data"] == []


def test_team__in_use_by_a_shadow__goes_with_it_by_force(acme):
    team = acme.post("/v1/teams", json={"id": f"team-{secrets.token_hex(4)}", "name": "Support"}).json()["id"]
    path = f"/v1/policies/overlays/team/{team}"
    shadow(acme, path, {"dont": ["Shout"]})
    refused = acme.delete(f"/v1/teams/{team}")
    assert (refused.json()["code"], refused.json()["uses"]["overlays"]) == ("team_in_use", 1)
    assert acme.delete(f"/v1/teams/{team}", params={"force": True}).json()["removed"]["overlays"] == 1
    assert acme.get(path, params={"mode": "shadow"}).status_code == 404
