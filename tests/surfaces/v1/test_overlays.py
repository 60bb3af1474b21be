"""Overlays, teams and the effective policy over HTTP, for two organizations."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest

from tests.harness import Gateway, eventually
from tests.surfaces.v1.memories.support import Client, caller


def word(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@dataclass
class Two:
    acme: httpx.Client
    globex: httpx.Client


@pytest.fixture
def two(gateway: Gateway) -> Iterator[Two]:
    with gateway.acme.client() as acme, gateway.globex.client() as globex:
        yield Two(acme, globex)


@pytest.fixture
def team(two: Two) -> str:
    made = two.acme.post("/v1/teams", json={"id": word("team"), "name": "Support"})
    assert made.status_code == 201, made.text
    return made.json()["id"]


def test_overlay__of_a_subject__life_from_put_to_delete(two: Two) -> None:
    subject = f"{word('ada')}/ö"
    path = f"/v1/policies/overlays/user/{quote(subject, safe='')}"
    assert refusal(two.acme.get(path)) == (404, "overlay_not_found")
    body = {"locks": {"dont": ["Mention the surprise"], "retention": {"conversation_days": 3}}, "expected_version": 0}
    made = two.acme.put(path, json=body)
    assert (made.status_code, made.json()["version"], made.json()["target"]) == (200, 1, subject)
    assert two.acme.get(path).json() == made.json()
    assert refusal(two.globex.get(path)) == (404, "overlay_not_found")
    refused = two.acme.put(path, json=body)
    assert refusal(refused) == (409, "version_conflict")
    assert (refused.json()["current_version"], refused.json()["changed"]) == (1, ["locks.dont", "locks.retention"])
    assert refused.json()["current"]["locks"]["dont"] == ["Mention the surprise"]
    seen = two.acme.get("/v1/policies/effective", params={"subject": subject}).json()
    assert (seen["dont"], seen["retention"]) == (
        ["Mention the surprise"], {"conversation_days": 3, "body_days": None}
    )  # fmt: skip
    assert next(line for line in seen["trace"] if line["field"] == "dont")["locked_by"] == f"user:{subject}"
    assert two.globex.get("/v1/policies/effective", params={"subject_id": subject}).json()["dont"] == []
    listed = two.acme.get("/v1/policies/overlays", params={"level": "user", "target": subject}).json()["data"]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    assert two.acme.delete(path, params={"expected_version": 1}).json()["version"] == 2
    assert refusal(two.acme.delete(path)) == (404, "overlay_not_found")
    history = two.acme.get("/v1/policies/versions", params={"level": "user", "target": subject}).json()["data"]
    assert [(one["version"], one["deleted"]) for one in history] == [(2, True), (1, False)]
    assert two.globex.get("/v1/policies/versions", params={"target": subject}).json()["data"] == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("team/nobody-there", {}, "invalid_overlay"),
        ("session/conv_1", {}, "invalid_overlay"),
        ("org/x", {}, "invalid_request"),
        ("user/x", {"locks": {"guardrails": {"pii": {"shoe": {"input": "mask"}}}}}, "invalid_request"),
        ("user/x", {"locks": {"guardrails": {"secrets": {"input": "eat"}}}}, "invalid_request"),
        ("user/x", {"locks": {"guardrails": {"length": {"input": "block"}}}}, "invalid_overlay"),
        (
            "user/x",
            {"locks": {"guardrails": {"blocklist": [{"name": "a", "patterns": ["(a|a){1,30}b"], "input": "block"}]}}},
            "invalid_overlay",
        ),
        ("user/x", {"defaults": {"retention": {"body_days": -1}}}, "invalid_request"),
    ],
)
def test_put_overlay__what_cannot_be__is_422_and_nothing_is_there(two: Two, path, body, code) -> None:
    target = word("x")
    path = path.replace("/x", f"/{target}")
    assert refusal(two.acme.put(f"/v1/policies/overlays/{path}", json=body)) == (422, code)
    assert two.acme.get("/v1/policies/overlays", params={"target": target}).json()["data"] == []


def test_key_of_some_subjects__overlays_of_others__are_403(two: Two, gateway: Gateway, team: str) -> None:
    own, other = word("own"), word("other")
    assert two.acme.put(f"/v1/policies/overlays/user/{other}", json={}).status_code == 200
    key = two.acme.post("/v1/keys", json={"name": "narrow", "subject_ids": [own]}).json()["secret"]
    with gateway.acme.client(key) as narrow:
        assert narrow.put(f"/v1/policies/overlays/user/{own}", json={}).status_code == 200
        for method, path in (
            ("PUT", "organization"), ("PUT", f"team/{team}"), ("PUT", f"user/{other}"), ("GET", f"user/{other}"),
            ("DELETE", f"user/{other}"),
        ):  # fmt: skip
            options = {"json": {}} if method == "PUT" else {}
            answer = narrow.request(method, f"/v1/policies/overlays/{path}", **options)
            assert refusal(answer) == (403, "subject_not_allowed"), (method, path)
        found = narrow.get("/v1/policies/overlays", params={"level": "user", "limit": 200}).json()["data"]
        assert [one["target"] for one in found] == [own]
        refused = narrow.get("/v1/policies/effective", params={"subject": other})
        assert refusal(refused) == (403, "subject_not_allowed")
    assert two.acme.get(f"/v1/policies/overlays/user/{other}").json()["version"] == 1


def test_plan__below_business__keeps_what_is_set_and_takes_no_more(acme) -> None:
    client = Client(caller(acme))
    assert client.put("/policies/overlays/user/ada", json={"locks": {"dont": ["Swear"]}})[0] == 200
    free = Client(caller(acme, plan="free"))
    assert free.put("/policies/overlays/user/bob", json={}) == (403, "plan_required")
    assert free.error.extra == {"flag": "policy_overlays", "plan": "business"}
    assert free.get("/policies/overlays/user/bob") == (404, "overlay_not_found")
    assert free.put("/policies/overlays/organization", json={})[0] == 200
    assert free.get("/policies/effective?subject=ada")[1]["dont"] == ["Swear"]
    assert free.delete("/policies/overlays/user/ada")[0] == 200


def test_team__on_key_and_subject__its_overlay_binds_them(two: Two, gateway: Gateway, team: str) -> None:
    locks = {"denied_tools": ["shell*"], "guardrails": {"pii": {"email": {"output": "block"}}}}
    assert two.acme.put(f"/v1/policies/overlays/team/{team}", json={"locks": locks}).status_code == 200
    made = two.acme.post("/v1/keys", json={"name": "of the team", "team_ids": [team, team]}).json()
    assert made["team_ids"] == [team]
    with gateway.acme.client(made["secret"]) as member:
        seen = member.get("/v1/policies/effective").json()
        assert (seen["teams"], seen["denied_tools"]) == ([team], ["shell*"])
        assert seen["guardrails"] == [
            {
                "name": "pii.email", "direction": "output", "action": "block", "shadow": False,
                "set_by": f"team:{team}", "locked": True,
            }
        ]  # fmt: skip
        assert member.get("/v1/keys/self").json()["team_ids"] == [team]
        for wanted in ({"team_ids": None}, {"team_ids": []}):
            refused = member.post("/v1/keys", json={"name": "outside", **wanted})
            assert (refusal(refused), refused.json()["field"]) == ((403, "key_too_wide"), "team_ids")
        refused = member.patch(f"/v1/keys/{made['id']}", json={"team_ids": None})
        assert refusal(refused) == (403, "key_too_wide")
    assert two.acme.get("/v1/policies/effective").json()["denied_tools"] == []
    subject = word("ann")
    assert two.acme.put(f"/v1/subjects/{subject}", json={"team_ids": [team]}).status_code in (200, 201)
    assert two.acme.get("/v1/policies/effective", params={"subject": subject}).json()["teams"] == [team]
    assert two.acme.get("/v1/policies/effective", params={"team": team}).json()["denied_tools"] == ["shell*"]
    assert refusal(two.globex.get("/v1/policies/effective", params={"team": team})) == (422, "unknown_team")


def test_team__unknown_on_a_key__is_422_and_makes_none(two: Two, team: str) -> None:
    name = word("lost")
    for client, teams in ((two.acme, [team, "nobody"]), (two.globex, [team]), (two.acme, ["A B"])):
        assert refusal(client.post("/v1/keys", json={"name": name, "team_ids": teams})) == (422, "unknown_team")
        assert client.get("/v1/keys", params={"q": name}).json()["data"] == []


def test_team__in_use__is_deleted_only_by_force_and_then_everywhere(two: Two, team: str) -> None:
    subject = word("ann")
    assert two.acme.put(f"/v1/policies/overlays/team/{team}", json={"locks": {"dont": ["Swear"]}}).status_code == 200
    key = two.acme.post("/v1/keys", json={"name": "of the team", "team_ids": [team]}).json()
    two.acme.put(f"/v1/subjects/{subject}", json={"team_ids": [team]})
    refused = two.acme.delete(f"/v1/teams/{team}")
    assert refusal(refused) == (409, "team_in_use")
    assert refused.json()["uses"] == {"overlays": 1, "keys": 1, "subjects": 1}
    assert two.acme.get(f"/v1/keys/{key['id']}").json()["team_ids"] == [team]
    assert refusal(two.globex.delete(f"/v1/teams/{team}", params={"force": True})) == (404, "team_not_found")
    gone = two.acme.delete(f"/v1/teams/{team}", params={"force": True})
    assert gone.json() == {"id": team, "removed": {"overlays": 1, "keys": 1, "subjects": 1}}
    assert refusal(two.acme.get(f"/v1/teams/{team}")) == (404, "team_not_found")
    assert two.acme.get(f"/v1/keys/{key['id']}").json()["team_ids"] == []
    assert refusal(two.acme.get(f"/v1/policies/overlays/team/{team}")) == (404, "overlay_not_found")
    assert two.acme.get("/v1/policies/effective", params={"subject": subject}).json()["teams"] == []
    # A team of the same name begins with nothing of the old one.
    assert two.acme.post("/v1/teams", json={"id": team, "name": "New"}).status_code == 201
    assert two.acme.get("/v1/policies/effective", params={"team": team}).json()["dont"] == []


def test_team__list_rename_and_bad_input(two: Two, team: str) -> None:
    renamed = two.acme.put(f"/v1/teams/{team}", json={"name": "Care", "description": "Of customers"}).json()
    assert (renamed["name"], renamed["description"]) == ("Care", "Of customers")
    assert team in [one["id"] for one in two.acme.get("/v1/teams", params={"limit": 200}).json()["data"]]
    assert team not in [one["id"] for one in two.globex.get("/v1/teams", params={"limit": 200}).json()["data"]]
    assert refusal(two.acme.post("/v1/teams", json={"id": team, "name": "Twice"})) == (409, "team_exists")
    assert refusal(two.globex.put(f"/v1/teams/{team}", json={"name": "Theirs"})) == (404, "team_not_found")
    for bad in ("Upper", "-x", "a b", "", "x" * 65):
        assert refusal(two.acme.post("/v1/teams", json={"id": bad, "name": "x"})) == (422, "invalid_request")


def test_writes__of_overlay_and_team__are_in_the_audit(two: Two, team: str) -> None:
    two.acme.put(f"/v1/policies/overlays/team/{team}", json={"locks": {"redact_mode": "strict"}})

    def noted() -> list[str]:
        entries = two.acme.get("/v1/audit", params={"limit": 200}).json()["data"]
        return [one["action"] for one in entries if team in str(one)]

    assert eventually(lambda: set(noted()) >= {"team.created", "policy.updated"}, within=30)
