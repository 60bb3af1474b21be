"""The product events, from a real call to a real sink; and each against its schema."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from gateway.platform.telemetry.catalogue import SCHEMAS
from tests.harness import eventually
from tests.platform.telemetry.conftest import Observed


def org_id(client: httpx.Client) -> str:
    return str(client.get("/v1/me").json()["organization"]["id"])


def told(observed: Observed, event: str, **wanted: Any) -> dict[str, Any]:
    """The first occurrence with these properties; it comes within moments, and it fits its schema."""

    def look() -> dict[str, Any] | None:
        found = [
            one for one in observed.receiver.named(event) if all(one[name] == value for name, value in wanted.items())
        ]
        return found[0] if found else None

    found = eventually(look, within=20)
    Draft202012Validator(SCHEMAS[event]).validate(found)
    return dict(found)


def test_chat__twice__tells_the_call_the_cached_recall_and_the_proposal(observed: Observed) -> None:
    subject = f"told-{secrets.token_hex(4)}"
    body = {
        "persona_id": "brand-default", "subject_id": subject, "model": "ikiro/sandbox",
        "messages": [{"role": "user", "content": "Please remember that I love green tea."}],
    }  # fmt: skip
    with observed.org().client() as client:
        org = org_id(client)
        first = client.post("/v1/chat", json=body).raise_for_status().json()
        client.post("/v1/chat", json=body).raise_for_status()
        proposal = first["proposedWrites"][0]
        other = client.post("/v1/chat", json={**body, "stream": True}, timeout=30)
        assert other.status_code == 200
        decided = client.post(f"/v1/proposals/{proposal['proposal_id']}/reject", json={"comment": "no"})
        assert decided.status_code == 200, decided.text
    called = told(observed, "gateway_chat_request", org_id=org, model="ikiro/sandbox", stream=False)
    assert (called["persona_id"], called["latency_ms"] > 0) == ("brand-default", True)
    assert told(observed, "gateway_chat_request", org_id=org, stream=True)["persona_id"] == "brand-default"
    cached = told(observed, "gateway_chat_cached", org_id=org)
    assert 0 < cached["ttl_remaining"] <= 300
    made = told(observed, "gateway_proposal_created", org_id=org, proposal_type=proposal["type"])
    assert 0 <= made["confidence"] <= 1
    resolved = told(observed, "gateway_proposal_resolved", proposal_id=proposal["proposal_id"])
    assert (resolved["decision"], resolved["org_id"]) == ("rejected", org)
    assert subject not in str(observed.receiver.events)
    assert "green tea" not in str(observed.receiver.events)


def test_refusals__of_credentials_and_limits__are_told_by_reason(observed: Observed) -> None:
    with observed.org("globex").client() as client:
        org = org_id(client)
        made = client.post("/v1/keys", json={"name": "short-lived"}).raise_for_status().json()
        client.delete(f"/v1/keys/{made['id']}").raise_for_status()

        def refused() -> bool:
            return client.get("/v1/me", headers={"authorization": f"Bearer {made['secret']}"}).status_code == 401

        eventually(refused, within=5)
        assert client.get("/v1/me", headers={"authorization": "Bearer ik_live_nobody"}).status_code == 401
    assert told(observed, "gateway_auth_failed", org_id=org)["reason"] == "invalid"
    assert told(observed, "gateway_auth_failed", org_id=None)["reason"] == "invalid"


def test_rate_limit__reached__tells_tier_limit_and_use(observed: Observed, committed_database: None) -> None:
    from django.core.management import call_command

    limited = observed.gateway.org("limited-by-rate")
    call_command("orgs", "limits", "limited-by-rate", "rate=3", "rate_window_s=60")
    try:
        with httpx.Client(
            base_url=observed.base_url, headers={"authorization": f"Bearer {limited.api_key}"}, timeout=30
        ) as client:
            org = ""

            def stopped() -> bool:
                nonlocal org
                answer = client.get("/v1/me")
                org = answer.json()["organization"]["id"] if answer.status_code == 200 else org
                return answer.status_code == 429

            eventually(stopped, within=15)
    finally:
        call_command("orgs", "limits", "limited-by-rate", "rate=6000", "rate_window_s=60")
    found = told(observed, "gateway_rate_limited", org_id=org)
    assert (found["tier"], found["limit"], found["current_usage"]) == ("business", 3, 3)


def test_sink__away_for_a_while__gets_everything_once_it_is_back(observed: Observed) -> None:
    model = f"openai/fake:normal,tag={secrets.token_hex(4)}"
    observed.receiver.status = 503
    body = {
        "persona_id": "brand-default", "subject_id": "later", "model": model,
        "messages": [{"role": "user", "content": "hello"}],
    }  # fmt: skip
    try:
        with observed.org().client() as client:
            client.post("/v1/chat", json=body).raise_for_status()
        eventually(lambda: "telemetry.unreachable" in observed.web.output, within=15)
    finally:
        observed.receiver.status = 200
    told(observed, "gateway_chat_request", model=model)


@pytest.mark.parametrize("event", sorted(SCHEMAS))
def test_schema__of_each_event__is_sound_and_closed(event: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[event])
    assert SCHEMAS[event]["additionalProperties"] is False
    assert SCHEMAS[event]["required"] == list(SCHEMAS[event]["properties"])
