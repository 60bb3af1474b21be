"""What `required` golden prompts let through to a publish, in front of the running product; two organizations."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx

from tests.embedding import Embedder
from tests.surfaces import clients
from tests.surfaces.v1 import test_consistency as golden
from tests.surfaces.v1.test_consistency import MODEL, PARCEL, PROMPTS, asked, cartridge, save

acme, globex = clients.acme, clients.globex
embeds, persona, speaks = golden.embeds, golden.persona, golden.speaks

EVENING = "Good evening to you. How can I help?"


def draft(client: httpx.Client, name: str) -> dict[str, Any]:
    """The next version's document, drafted."""
    drafted = cartridge(name, "2.0.0")
    client.put(f"/v1/personas/{name}/draft", json={"cartridge": drafted}).raise_for_status()
    return drafted


def refused(client: httpx.Client, name: str) -> dict[str, Any]:
    """What publishing the draft is refused with; nothing is published, and the draft stays."""
    path = f"/v1/personas/{name}"
    answer = client.post(f"{path}/publish")
    assert (answer.status_code, answer.json()["code"]) == (409, "consistency_required"), answer.text
    assert client.get(path).json()["version"] == 1
    assert client.get(f"{path}/draft").status_code == 200
    return dict(answer.json())


def test_publish__of_a_draft_that_was_asked_easier_prompts__is_refused_until_it_is_asked_these(
    acme, globex, persona, speaks
):
    draft(acme, persona)
    assert asked(acme, persona, target="draft")["within"] is True
    hard = {**PROMPTS[0], "not_contains": ["parcel"]}
    save(acme, persona, prompts=[hard], required=True)
    first = refused(acme, persona)
    assert first["reasons"] == ["other_prompts"]
    assert "the golden prompts were changed since" in first["detail"]
    off = asked(acme, persona, target="draft")
    again = refused(acme, persona)
    assert (again["reasons"], again["run_id"], again["drift_percent"]) == (["off"], off["id"], 100.0)
    save(acme, persona, required=True)
    # What was asked before the prompts were made harder was these: it counts again.
    assert acme.post(f"/v1/personas/{persona}/publish").raise_for_status().json()["version"] == 2
    draft(globex, persona)
    assert globex.post(f"/v1/personas/{persona}/publish").status_code == 200


def test_publish__of_a_draft_that_another_model_answered_and_judged__is_refused(acme, globex, persona, speaks):
    rules = 1 + len(cartridge(persona)["behavior"]["do"]) + 1
    kept = json.dumps({"kept": [True] * rules})
    speaks({'"rules"': kept, "parcel": PARCEL, "evening": EVENING})
    save(acme, persona, judge_model=MODEL, required=True, tolerance_percent=60)
    draft(acme, persona)
    other = asked(acme, persona, target="draft", model="ikiro/sandbox", judge_model="nope/nope")
    assert {one["what"]: (one["count"], one["code"]) for one in other["missing"]} == {"judge": (2, "model_not_found")}
    assert other["within"] is not True
    wrong = refused(acme, persona)
    assert (wrong["reasons"], wrong["run_id"]) == (["other_model", "other_judge"], other["id"])
    assert f"ikiro/sandbox answered, and the golden prompts name {MODEL}" in wrong["detail"]
    # Whom they name must be heard as well.
    save(acme, persona, judge_model="nope/nope", required=True, tolerance_percent=60)
    unheard = asked(acme, persona, target="draft")
    assert (unheard["state"], unheard["within"]) == ("done", None)
    wrong = refused(acme, persona)
    assert (wrong["reasons"], wrong["run_id"]) == (["not_judged"], unheard["id"])
    save(acme, persona, judge_model=MODEL, required=True, tolerance_percent=60)
    heard = asked(acme, persona, target="draft")
    assert (heard["missing"], heard["scores"]["judge"], heard["within"]) == ([], 1.0, True)
    assert acme.post(f"/v1/personas/{persona}/publish").raise_for_status().json()["version"] == 2
    assert globex.get(f"/v1/personas/{persona}").json()["version"] == 1


def test_publish__of_a_draft_with_a_prompt_that_nobody_answered__is_refused(acme, globex, persona):
    model = f"openai/fake:flaky,times=3,retry_after_ms=1,text=Good_evening.,tag={secrets.token_hex(3)}"
    prompts = [{"name": f"No. {number}", "prompt": f"Good evening {number}"} for number in range(3)]
    save(acme, persona, prompts=prompts, model=model, required=True)
    draft(acme, persona)
    part = asked(acme, persona, target="draft")
    assert [one["answer"] is None for one in part["replies"]] == [True, False, False]
    assert (part["state"], part["drift_percent"] <= 10, part["within"]) == ("done", True, None)
    assert part["missing"] == [{"what": "answer", "count": 1, "code": part["replies"][0]["error"]["code"]}]
    wrong = refused(acme, persona)
    assert (wrong["reasons"], wrong["run_id"]) == (["unanswered"], part["id"])
    assert "1 of 3 prompts got no answer" in wrong["detail"]
    assert asked(acme, persona, target="draft")["within"] is True
    assert acme.post(f"/v1/personas/{persona}/publish").raise_for_status().json()["version"] == 2
    assert globex.get(f"/v1/personas/{persona}").json()["version"] == 1


def test_publish__of_a_draft_asked_while_the_embedder_was_away__is_refused_and_says_so(
    acme, globex, persona, speaks, embedder: Embedder
):
    save(acme, persona, prompts=PROMPTS[:1], required=True)
    draft(acme, persona)
    embedder.stop()
    try:
        away = asked(acme, persona, target="draft")
    finally:
        embedder.start().ready()
    assert (away["state"], away["drift_percent"], away["within"]) == ("done", None, None)
    wrong = refused(acme, persona)
    assert (wrong["reasons"], wrong["run_id"], wrong["drift_percent"]) == (["not_compared"], away["id"], None)
    assert (
        f"1 of 1 answers could not be compared with what they are held against ({away['missing'][0]['code']})"
        in (wrong["detail"])
    )
    assert "None" not in wrong["detail"]
    assert asked(acme, persona, target="draft")["within"] is True
    assert acme.post(f"/v1/personas/{persona}/publish").raise_for_status().json()["version"] == 2
    assert globex.get(f"/v1/personas/{persona}").json()["version"] == 1
