"""``POST /v1/explain``: the same steps as the call, the same refusals, and nothing left behind."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness import Gateway, Org, eventually


def body(subject: str, text: str = "When is the harbour tour?", **fields: Any) -> dict[str, Any]:
    turn = {"role": "user", "content": text}
    return {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": subject,
        "messages": [turn],
        **fields,
    }


def test_explain__a_turn__shows_every_step_in_order_and_changes_nothing(
    client: httpx.Client, subject: str, gateway: Gateway
) -> None:
    new = f"{subject}-new"
    limits = client.get("/v1/limits").json()
    answer = client.post("/v1/explain", json=body(new))
    shown = answer.json()
    assert (answer.status_code, shown["would"], shown["error"]) == (200, "allowed", None), answer.text
    stages = [line["stage"] for line in shown["decisions"]]
    wanted = ["auth", "scope", "grant", "route", "limits", "persona", "policy", "recall", "compose", "price"]
    assert [stage for stage in stages if stage in wanted][-9:] == wanted[1:]
    assert shown["targets"] == ["ikiro/sandbox"]
    assert shown["prompt"]["composed_bytes"] > shown["prompt"]["persona_bytes"] > 0
    assert shown["price"]["at_most_micros"] == 0
    assert client.get(f"/v1/subjects/{new}").status_code == 404
    assert client.get("/v1/requests", params={"q": f"subject:{new}"}).json()["data"] == []
    assert _calls(client.get("/v1/limits").json()) == _calls(limits)
    assert client.get(f"/v1/requests/{shown['request_id']}").status_code == 404


def _calls(limits: dict[str, Any]) -> Any:
    return [one.get("used") for one in limits.get("limits", []) if one.get("kind") == "calls"] or limits.get("calls")


def test_explain__recall_of_a_known_subject__gives_scores_as_the_call_would(client: httpx.Client, subject: str) -> None:
    source = {"source": "gmail", "ref": "msg_1"}
    memory = {"subject_id": subject, "text": "The harbour tour starts at noon.", "provenance": source}
    made = client.post("/v1/memories", json=memory).json()["id"]

    def both() -> tuple[dict[str, Any], dict[str, Any]]:
        explained = client.post("/v1/explain", json=body(subject)).json()["decisions"]
        called = client.post("/v1/chat", json=body(subject)).json()["request_id"]
        record = client.get(f"/v1/requests/{called}").json()["decisions"]
        return {one["stage"]: one for one in explained}, {one["stage"]: one for one in record}

    def alike() -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Both, once no vector of the memory comes between them."""
        explained, record = both()
        return (explained, record) if explained["recall"]["memories"] == record["recall"]["memories"] else None

    explained, record = eventually(alike, within=30)
    assert explained["recall"]["memories"][0]["id"] == made
    for stage in ("recall", "policy", "persona"):
        for name in ("memories", "values", "version", "digest"):
            assert explained[stage].get(name) == record[stage].get(name), (stage, name)
    assert "harbour" not in str(explained)


def test_explain__what_the_call_would_refuse__is_told_with_the_same_code(
    org: Org, owner: httpx.Client, client: httpx.Client, subject: str
) -> None:
    bound = owner.post("/v1/keys", json={"name": "bound", "subject_ids": ["somebody-else"]}).json()
    with org.client(bound["secret"]) as narrow:
        for wrong, asking in (
            ({"model": "nobody/nothing"}, client),
            ({"persona_id": "no-such-persona"}, client),
            ({}, narrow),
        ):
            sent = body(subject, **wrong)
            told = eventually(lambda c=asking, s=sent: _explained(c, s), within=10)
            real = asking.post("/v1/chat", json=sent)
            assert real.status_code >= 400
            assert (told["would"], told["error"]["code"], told["error"]["status"]) == (
                "refused",
                real.json()["code"],
                real.status_code,
            )
            assert told["decision"]["code"] == real.json()["code"]


def test_explain__under_a_budget_that_does_not_cover_it__says_which_and_spends_nothing(
    org: Org, owner: httpx.Client, subject: str
) -> None:
    poor = {"name": "poor", "budget": {"limit_micros": 1, "window": "month", "hard": True}}
    made = owner.post("/v1/keys", json=poor)
    assert made.status_code == 201, made.text
    with org.client(made.json()["secret"]) as client:
        sent = body(subject, model="openai/gpt-4o-mini", max_tokens=100)
        told = eventually(lambda: _explained(client, sent), within=10)
        assert (told["would"], told["error"]["code"], told["error"]["status"]) == ("refused", "budget_exceeded", 402)
        assert told["decision"]["stage"] == "limits"
        assert told["error"]["limit"]["kind"] == "budget"
        real = client.post("/v1/chat", json=sent)
        assert (real.status_code, real.json()["code"]) == (402, "budget_exceeded")
        assert client.post("/v1/explain", json=body(subject)).json()["would"] == "allowed"  # the sandbox costs nothing


def _explained(client: httpx.Client, sent: dict[str, Any]) -> dict[str, Any] | None:
    answer = client.post("/v1/explain", json=sent)
    return answer.json() if answer.status_code == 200 else None


def test_explain__openai_bodies__are_read_with_and_without_a_persona(client: httpx.Client, subject: str) -> None:
    chat = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    plain = client.post("/v1/explain", json={"openai": chat}).json()
    assert plain["would"] == "allowed", plain
    assert "persona" not in {line["stage"] for line in plain["decisions"]}
    headers = {"x-persona-id": "brand-default", "x-subject-id": subject}
    addressed = client.post("/v1/explain", json={"openai": chat, "headers": headers}).json()
    assert "persona" in {line["stage"] for line in addressed["decisions"]}


def test_explain__what_is_no_call__is_422_naming_the_field(client: httpx.Client, subject: str) -> None:
    for sent, pointer in (
        ({"model": "ikiro/sandbox"}, "#/persona_id"),
        ({**body(subject), "colour": "red"}, "#/colour"),
        ({**body(subject), "openai": {"model": "m", "messages": [{}]}}, "#/model"),
        ({**body(subject), "messages": [{"role": "nobody"}]}, "#/messages/0/role"),
    ):
        answer = client.post("/v1/explain", json=sent)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text
