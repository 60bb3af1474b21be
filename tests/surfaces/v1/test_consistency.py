"""Golden prompts in front of the running product: asked of versions and drafts, scored, required; two organizations."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.knowledge.personas.defaults import default_cartridge
from tests.embedding import Embedder
from tests.harness import Gateway, eventually
from tests.surfaces import clients
from tests.surfaces.v1.test_chat import body

acme, globex = clients.acme, clients.globex
MODEL = "openai/scripted"
PARCEL = "Your parcel is on its way and arrives tomorrow. Shall I send you the tracking number?"
RUDE = "Yo dude lol, gonna take forever!!! I promise refunds by the way \U0001f389\U0001f389\U0001f389"
PROMPTS = [
    {"name": "Parcel", "prompt": "Where is my parcel?", "reference": PARCEL, "contains": ["tracking number"]},
    {"name": "Hello", "prompt": "Good evening", "max_chars": 200},
]


@pytest.fixture(scope="module", autouse=True)
def embeds(embedder: Embedder) -> None:
    embedder.ready()


@pytest.fixture
def persona(acme: httpx.Client, globex: httpx.Client) -> str:
    """A persona of the same name in both organizations, with golden prompts."""
    name = f"golden-{secrets.token_hex(4)}"
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge(name)}).raise_for_status()
        save(client, name)
    return name


@pytest.fixture
def speaks(upstream: Any) -> Iterator[Any]:
    """What the model answers to a message with these words in it."""

    def said(lines: dict[str, str]) -> None:
        upstream.reset()
        upstream.script("lines", lines=json.dumps(lines))

    said({"parcel": PARCEL, "evening": "Good evening to you. How can I help?"})
    yield said
    upstream.reset()


def cartridge(name: str, version: str = "1.0.0") -> dict[str, Any]:
    found = {**default_cartridge("Acme"), "id": name, "meta": {"version": version}}
    found["behavior"] = {**found["behavior"], "dont": ["Promise refunds"]}
    return found


def save(client: httpx.Client, name: str, **more: Any) -> dict[str, Any]:
    wanted = {"prompts": PROMPTS, "model": MODEL, **more}
    return dict(client.put(f"/v1/personas/{name}/golden-prompts", json=wanted).raise_for_status().json())


def asked(client: httpx.Client, name: str, **wanted: Any) -> dict[str, Any]:
    """A run of the golden prompts, when it has ended."""
    begun = client.post(f"/v1/personas/{name}/consistency-runs", json=wanted)
    assert begun.status_code == 202, begun.text
    assert begun.json()["operation"]["kind"] == "persona.consistency"
    return ended(client, name, begun.json()["run"]["id"])


def ended(client: httpx.Client, name: str, run_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = client.get(f"/v1/personas/{name}/consistency-runs/{run_id}").raise_for_status().json()
        return found if found["state"] != "running" else None

    return dict(eventually(look, within=60))


def test_run__in_the_personas_voice__is_within_and_every_answer_is_a_recorded_paid_call(acme, globex, persona, speaks):
    found = asked(acme, persona)
    assert (found["state"], found["version"], found["done"], found["total"]) == ("done", 1, 2, 2), found
    assert (found["within"], found["error"], found["reason"]) == (True, None, "manual")
    assert found["drift_percent"] == round(100 * (1 - found["scores"]["consistency"]), 2)
    first, second = found["replies"]
    assert (first["answer"], first["compared_with"]) == (PARCEL, "reference")
    assert first["scores"]["rubric"] == 1.0
    assert (first["scores"]["similarity"], first["similarity_problem"]) == (1.0, None)
    assert second["compared_with"] is None
    assert {one["name"] for one in first["checks"]} == {"emoji", "formality", "slang", "length", "contains", "rules"}
    assert "Ask one clarifying question when the request is ambiguous" in first["unchecked_rules"]

    def record() -> dict[str, Any] | None:
        answer = acme.get(f"/v1/requests/{first['request_id']}")
        return answer.json() if answer.status_code == 200 and answer.json()["state"] == "settled" else None

    kept = eventually(record, within=30)
    assert (kept["surface"], kept["persona_id"], kept["outcome"]) == ("consistency", persona, "ok")
    stages = {one["stage"]: one for one in kept["decisions"]}
    assert stages["auth"]["key"].startswith("key_")
    assert stages["recall"]["memories"] == []
    # Nobody was met, nothing was kept, and the other organization knows of none of it.
    assert acme.get("/v1/subjects/golden-prompts").status_code == 404
    told = acme.get("/v1/conversations", params={"subject_id": "golden-prompts"}).json()
    assert told["data"] == []
    assert globex.get(f"/v1/personas/{persona}/consistency-runs").json()["data"] == []
    assert globex.get(f"/v1/personas/{persona}/consistency-runs/{found['id']}").status_code == 404
    assert globex.get(f"/v1/requests/{first['request_id']}").status_code == 404


def test_run__out_of_voice__drifts_shows_it_per_version_and_tells_subscribers(acme, globex, persona, speaks):
    asked(acme, persona)
    acme.put(f"/v1/personas/{persona}", json={"cartridge": cartridge(persona, "2.0.0")}).raise_for_status()
    speaks({"parcel": RUDE, "evening": RUDE})
    off = asked(acme, persona)
    assert (off["version"], off["within"]) == (2, False)
    broken = {one["name"]: one for one in off["replies"][0]["checks"]}
    assert broken["rules"]["told"] == "breaks: Promise refunds"
    assert broken["emoji"]["score"] == 0.0
    # Without a reference of its own, the second is held against what version 1 said.
    assert off["replies"][1]["compared_with"] == "version_before"
    shown = acme.get(f"/v1/personas/{persona}/consistency").raise_for_status().json()
    assert [(one["version"], one["current"], one["run"]["within"]) for one in shown["versions"]] == [
        (2, True, False), (1, False, True),
    ]  # fmt: skip
    assert shown["versions"][0]["change_points"] > 20
    assert shown["versions"][1]["change_points"] is None
    events = acme.get("/v1/events", params={"type": "persona.drifted"}).raise_for_status().json()["data"]
    mine = [one for one in events if one["persona_id"] == persona]
    assert [one["run_id"] for one in mine] == [off["id"]]
    assert globex.get(f"/v1/personas/{persona}/consistency").json()["versions"] == []
    one = acme.get(f"/v1/personas/{persona}/consistency-runs", params={"version": 2, "limit": 1}).json()
    assert [found["id"] for found in one["data"]] == [off["id"]]
    assert one["data"][0]["replies"] is None


def test_draft__required_to_be_asked__is_published_only_when_it_was_and_is_in_voice(acme, globex, persona, speaks):
    save(acme, persona, required=True)
    path = f"/v1/personas/{persona}"
    drafted = cartridge(persona, "2.0.0")
    acme.put(f"{path}/draft", json={"cartridge": drafted}).raise_for_status()
    for refused in (acme.post(f"{path}/publish"), acme.put(path, json={"cartridge": drafted})):
        assert (refused.status_code, refused.json()["code"]) == (409, "consistency_required")
    speaks({"parcel": RUDE, "evening": RUDE})
    off = asked(acme, persona, target="draft")
    assert (off["version"], off["within"]) == (None, False)
    refused = acme.post(f"{path}/publish").json()
    assert (refused["code"], refused["run_id"], refused["drift_percent"]) == (
        "consistency_required", off["id"], off["drift_percent"],
    )  # fmt: skip
    assert acme.get(path).json()["version"] == 1
    speaks({"parcel": PARCEL, "evening": "Good evening to you. How can I help?"})
    assert asked(acme, persona, target="draft")["within"] is True
    shown = acme.get(f"{path}/consistency").json()
    assert shown.get("draft", {}).get("within") is True, shown
    assert acme.post(f"{path}/publish").raise_for_status().json()["version"] == 2
    # What was published once is within reach, and nobody else is asked for anything.
    assert acme.post(f"{path}/rollback", json={"version": 1}).status_code == 200, "rolling back passes no gate"
    globex.put(path, json={"cartridge": drafted}).raise_for_status()
    # A draft's drift is nobody else's business.
    events = acme.get("/v1/events", params={"type": "persona.drifted"}).json()["data"]
    assert not [one for one in events if one["persona_id"] == persona]


def test_judge__named__adds_its_opinion_and_one_that_talks_nonsense_costs_nothing(acme, globex, persona, speaks):
    rules = 1 + len(cartridge(persona)["behavior"]["do"]) + 1
    kept = json.dumps({"kept": [True, False, *([None] * (rules - 2))]})
    speaks({'"rules"': kept, "parcel": PARCEL, "evening": "Good evening."})
    found = asked(acme, persona, judge_model=MODEL)
    first = found["replies"][0]
    assert (first["scores"]["judge"], first["unchecked_rules"]) == (0.5, [])
    assert first["judge_broken"] == ["Always: Answer in short, concrete sentences"]
    assert (found["scores"]["judge"], found["judge_model"]) == (0.5, MODEL)
    speaks({'"rules"': "I think it is lovely.", "parcel": PARCEL, "evening": "Good evening."})
    found = asked(acme, persona, judge_model=MODEL)
    assert [one["judge_problem"] for one in found["replies"]] == ["judge_unreadable"] * 2
    assert (found["state"], found["scores"]["judge"]) == ("done", None)


def test_golden_prompts__none_saved__are_the_cartridges_examples(acme, globex):
    name = f"plain-{secrets.token_hex(4)}"
    for client in (acme, globex):
        client.post("/v1/personas", json={"cartridge": cartridge(name)}).raise_for_status()
    path = f"/v1/personas/{name}/golden-prompts"
    shown = acme.get(path)
    assert (shown.headers["etag"], shown.json()["revision"]) == ('"0"', 0)
    assert [one["prompt"] for one in shown.json()["prompts"]] == [
        one["user"] for one in default_cartridge("Acme")["examples"]
    ]
    found = asked(acme, name, model="ikiro/sandbox")
    assert (found["state"], found["model"], len(found["replies"])) == ("done", "ikiro/sandbox", 2)
    saved = acme.put(path, json={"prompts": PROMPTS, "expected_revision": 0})
    assert (saved.status_code, saved.headers["etag"]) == (200, '"1"')
    again = acme.put(path, json={"prompts": PROMPTS}, headers={"If-Match": '"1"'}).json()
    assert again["revision"] == 1, "the same again changes nothing"
    late = acme.put(path, json={"prompts": PROMPTS[:1], "expected_revision": 0})
    assert (late.status_code, late.json()["code"], late.json()["revision"]) == (409, "golden_prompts_conflict", 1)
    assert len(acme.get(path).json()["prompts"]) == 2
    assert globex.get(path).json()["revision"] == 0
    assert [acme.delete(path).status_code for _ in range(2)] == [204, 204]
    assert acme.get(path).json()["revision"] == 0


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"prompts": []}, "prompts"),
        ({"prompts": [{"name": "a", "prompt": " "}]}, "prompt"),
        ({"prompts": [{"name": "a", "prompt": "b" * 4001}]}, "prompt"),
        ({"prompts": PROMPTS, "tolerance_percent": 0}, "tolerance_percent"),
        ({"prompts": PROMPTS, "nightly": "sometimes"}, "nightly"),
        ({"prompts": PROMPTS * 26}, "prompts"),
        ({"prompts": PROMPTS, "colour": "red"}, "colour"),
    ],
)
def test_golden_prompts__that_cannot_be__are_refused_by_field_and_nothing_is_saved(acme, globex, wanted, pointer):
    name = f"plain-{secrets.token_hex(4)}"
    acme.post("/v1/personas", json={"cartridge": cartridge(name)}).raise_for_status()
    path = f"/v1/personas/{name}/golden-prompts"
    refused = acme.put(path, json=wanted)
    assert refused.status_code == 422
    assert any(pointer in one["pointer"] for one in refused.json()["errors"])
    assert acme.get(path).json()["revision"] == 0
    assert globex.put(path, json={"prompts": PROMPTS}).status_code == 404


def test_run__of_what_is_not_there_or_while_another_runs__is_refused(acme, globex, persona, upstream):
    path = f"/v1/personas/{persona}/consistency-runs"
    assert acme.post(path, json={"target": 9}).status_code == 404
    assert acme.post(path, json={"target": "draft"}).json()["code"] == "draft_not_found"
    assert acme.post(path, json={"target": "published"}).status_code == 422
    broken = {**cartridge(persona), "style": {}}
    acme.put(f"/v1/personas/{persona}/draft", json={"cartridge": broken}).raise_for_status()
    assert acme.post(path, json={"target": "draft"}).json()["code"] == "invalid_cartridge"
    upstream.reset()
    upstream.script("delay", delay_ms=1500, text="Slowly_now")
    begun = acme.post(path).json()["run"]
    second = acme.post(path)
    assert (second.status_code, second.json()["code"], second.json()["run_id"]) == (
        409, "consistency_run_under_way", begun["id"],
    )  # fmt: skip
    assert ended(acme, persona, begun["id"])["state"] == "done"
    assert len(acme.get(path).json()["data"]) == 1
    upstream.reset()


def test_run__whose_model_or_key_is_gone__fails_and_says_why(acme, globex, persona, upstream, gateway: Gateway):
    found = asked(acme, persona, model="nowhere/model")
    assert (found["state"], found["error"]["code"], found["scores"]["consistency"]) == (
        "failed",
        "model_not_found",
        None,
    )
    made = acme.post("/v1/keys", json={"name": "golden", "scopes": ["personas:write", "personas:read", "chat"]}).json()
    upstream.reset()
    upstream.script("delay", delay_ms=1500, text="Slowly_now")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=30) as key:
        begun = key.post(f"/v1/personas/{persona}/consistency-runs").json()["run"]
    upstream.wait_for(lambda calls: len(calls) == 1, 30)
    acme.delete(f"/v1/keys/{made['id']}").raise_for_status()
    found = ended(acme, persona, begun["id"])
    assert (found["state"], found["error"]["code"], found["done"]) == ("failed", "key_revoked", 1)
    assert len(upstream.calls()) == 1
    upstream.reset()


def test_run__of_a_key_that_may_not_chat_or_is_narrowed__is_refused_and_asks_nobody(acme, globex, persona, upstream):
    upstream.reset()
    path = f"/v1/personas/{persona}/consistency-runs"
    for fields, code in (
        ({"scopes": ["personas:write", "personas:read"]}, "scope_missing"),
        ({"subject_ids": ["usr_1"]}, "subject_not_allowed"),
        ({"persona_ids": ["brand-default"]}, "persona_not_allowed"),
    ):
        made = acme.post("/v1/keys", json={"name": "narrow", **fields}).raise_for_status().json()
        refused = acme.post(path, headers={"Authorization": f"Bearer {made['secret']}"})
        assert (refused.status_code, refused.json()["code"]) == (403, code)
    assert acme.get(path).json()["data"] == []
    assert upstream.calls() == []


def test_rehearsed_turns__of_a_model_that_writes__propose_and_keep_nothing(acme, globex, persona, upstream):
    upstream.reset()
    before = len(acme.get("/v1/proposals", params={"limit": 200}).json()["data"])
    found = asked(acme, persona, model="openai/fake:tools,case=text")
    assert found["replies"][0]["answer"] == "I will keep that in mind."
    assert len(acme.get("/v1/proposals", params={"limit": 200}).json()["data"]) == before
    assert all("tools" not in call["body"] for call in upstream.calls())
    # The persona itself still offers its writes to people it really talks to.
    turn = body(f"real-{secrets.token_hex(3)}", "Hi", persona_id=persona, model="openai/fake:tools,case=text")
    assert len(acme.post("/v1/chat", json=turn).json()["proposedWrites"]) == 1
