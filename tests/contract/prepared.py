"""What an example needs before it can be sent: a key in rotation, a limit to change, a request whose body was kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from gateway.core import clock, ids
from tests.contract.persons import Persons
from tests.factories.people import user_token
from tests.harness import eventually

_RULE = {"level": "subject", "kind": "requests", "limit": 1_000, "window": 60, "shadow": True}


def ids_for(name: str, client: httpx.Client, persons: Persons, turn: dict[str, Any]) -> dict[str, str]:
    """The ids that the example is about, each of something that was made for it."""
    if name in {"keys_change", "keys_extend_grace"}:
        key = client.post("/v1/keys", json={"name": name}).json()["id"]
        if name == "keys_extend_grace":
            client.post(f"/v1/keys/{key}/rotate", json={})
        return {"key_id": key}
    if name in {"limits_change", "limits_raise"}:
        return {"rule_id": client.post("/v1/limits/rules", json=_RULE).json()["id"]}
    if name.startswith("personas_"):
        return _of_personas(name, client)
    if name == "subjects_put_consent":
        return {"source": "gmail"}
    if name == "proposals_compensate":
        words = [{"role": "user", "content": f"Please remember that my kite is called {ids.base32(ids.uuid7())}."}]
        (made,) = client.post("/v1/chat", json={**turn, "messages": words}).json()["proposedWrites"]
        client.post(f"/v1/proposals/{made['proposal_id']}/approve").raise_for_status()
        return {"proposal_id": made["proposal_id"]}
    if name == "proposals_replace_rule":
        rule = {"name": name, "types": ["memory.*"], "min_confidence": 1, "enabled": False}
        return {"rule_id": client.post("/v1/proposal-rules", json=rule).json()["id"]}
    if name in {"proposals_settle_type", "proposals_put_target"}:
        return {"kind": "webhook.call", "name": "contract"}
    if name.startswith("policies_"):
        return _of_policies(name, client)
    if name == "requests_replay":
        return {"request_id": _kept(client, persons, turn)}
    return {}


def _of_policies(name: str, client: httpx.Client) -> dict[str, str]:
    if name == "policies_put_overlay":
        return {"level": "user", "target": "usr_123"}
    if name == "policies_promote_overlay":
        shadow = {"mode": "shadow", "locks": {"dont": ["Mention prices"]}, "expected_version": 0}
        client.put("/v1/policies/overlays/user/usr_promoted", json=shadow).raise_for_status()
    if name == "policies_put_team":
        return {"team_id": client.post("/v1/teams", json={"id": "renamed", "name": "Before"}).json()["id"]}
    return {}


def _of_personas(name: str, client: httpx.Client) -> dict[str, str]:
    if name == "personas_publish_draft":
        cartridge = client.get("/v1/personas/brand-default").json()["cartridge"]
        draft = client.put("/v1/personas/drafted/draft", json={"cartridge": {**cartridge, "id": "drafted"}})
        return {"persona_id": draft.json()["id"]}
    if name in {"personas_save_golden_prompts", "personas_start_consistency_run"}:
        return {"persona_id": "brand-default"}
    if name in {"personas_start_experiment", "personas_stop_experiment"}:
        persona = _of_two_versions(client, name.replace("_", "-"))
        if name == "personas_start_experiment":
            return {"persona_id": persona}
        trial = {"name": "Trial", "version_a": 1, "version_b": 2}
        made = client.post(f"/v1/personas/{persona}/experiments", json=trial).raise_for_status()
        return {"persona_id": persona, "experiment_id": made.json()["id"]}
    return {}


def _of_two_versions(client: httpx.Client, persona_id: str) -> str:
    cartridge = {**client.get("/v1/personas/brand-default").json()["cartridge"], "id": persona_id}
    client.post("/v1/personas", json={"cartridge": cartridge})
    second = {**cartridge, "meta": {"version": "1.1.0"}}
    client.put(f"/v1/personas/{persona_id}", json={"cartridge": second}).raise_for_status()
    return persona_id


def body_for(name: str, example: Any) -> Any:
    """The example; a moment in it is put into the days to come."""
    if name == "limits_raise":
        return {**example, "until": (clock.now() + timedelta(days=1)).isoformat()}
    return example


def _kept(client: httpx.Client, persons: Persons, turn: dict[str, Any]) -> str:
    headers = {"authorization": f"Bearer {user_token(persons.owner, persons.ref)}"}
    client.patch("/v1/organization/settings", json={"store_bodies": True}, headers=headers).raise_for_status()

    def kept() -> str | None:
        request: str = client.post("/v1/chat", json=turn).json()["request_id"]
        eventually(lambda: client.get(f"/v1/requests/{request}/body").status_code == 200, within=5, every=0.3)
        return request

    found: str = eventually(kept, within=60)
    return found
