"""The breaker and the blast radius as callers see them: a pause, one probe, recovery; and who is hit by a change."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from gateway.platform.providers.health import PAUSE_S
from tests.engine.routing.test_over_http import WITHIN_S, acme, ask, globex, provider, route, routed, scenarios, shown
from tests.harness import Gateway, eventually

__all__ = ["acme", "globex"]
DOWN, SLOW = "fake:status,code=500,retry_after_ms=1", "fake:normal,delay_ms=3000"


def health(client: httpx.Client, provider_id: str) -> str:
    return str(client.get(f"/v1/providers/{provider_id}").raise_for_status().json()["health"]["state"])


def test_breaker__pause_over__lets_one_call_through_and_closes_when_it_is_answered(acme, upstream):
    (bad, bad_id), (good, _) = provider(acme, upstream.base_url), provider(acme, upstream.base_url)
    for _ in range(2):  # three attempts each
        assert ask(acme, f"{bad}/{DOWN}").status_code == 502
    assert health(acme, bad_id) == "open"
    route(acme, f"{bad}/{SLOW}", f"{good}/fake:normal")
    upstream.reset()
    assert ask(acme).status_code == 200
    assert scenarios(upstream) == ["fake:normal"]  # it pauses, and is gone around

    with ThreadPoolExecutor(1) as pool:

        def probe() -> Future[httpx.Response] | None:
            """A call that the provider is asked again with; None while it still pauses."""
            asking = pool.submit(ask, acme)
            until = time.monotonic() + 2
            while time.monotonic() < until and not asking.done():
                if SLOW in scenarios(upstream):
                    return asking
                time.sleep(0.02)
            return None

        probing = eventually(probe, within=PAUSE_S + WITHIN_S)
        assert health(acme, bad_id) == "half_open"
        for _ in range(3):
            answer = ask(acme)
            assert answer.status_code == 200
        assert not probing.done()
        assert scenarios(upstream).count(SLOW) == 1
        assert routed(shown(acme, answer))["left_out"] == [{"model": f"{bad}/{SLOW}", "reason": "breaker_open"}]
        assert probing.result(30).status_code == 200
    assert health(acme, bad_id) == "closed"
    assert ask(acme).status_code == 200
    assert scenarios(upstream)[-1] == SLOW


def test_breaker__probe_that_fails__pauses_again_and_its_caller_is_answered_by_the_next(acme, upstream):
    (bad, bad_id), (good, _) = provider(acme, upstream.base_url), provider(acme, upstream.base_url)
    for _ in range(2):
        assert ask(acme, f"{bad}/{DOWN}").status_code == 502
    route(acme, f"{bad}/{DOWN}", f"{good}/fake:normal")
    upstream.reset()

    def probed() -> httpx.Response | None:
        answer = ask(acme)
        assert answer.status_code == 200
        return answer if DOWN in scenarios(upstream) else None

    answer = eventually(probed, within=PAUSE_S + WITHIN_S, every=0.2)
    assert [one["code"] for one in routed(shown(acme, answer))["attempts"]] == ["upstream_error", "ok"]
    assert health(acme, bad_id) == "open"
    assert ask(acme).status_code == 200
    assert scenarios(upstream).count(DOWN) == 1


def test_blast_radius__of_disabling__lists_the_keys_and_calls_that_are_then_hit(
    gateway: Gateway, acme, globex, upstream
):
    (name, provider_id), (other, _) = provider(acme, upstream.base_url), provider(acme, upstream.base_url)
    mine, theirs = f"{name}/fake:normal", f"{other}/fake:normal"
    acme.put("/v1/models/aliases/lone", json={"model": mine}).raise_for_status()
    route(acme, mine, theirs)
    narrowed = {"only": [mine], "by-alias": ["lone"], "both": [mine, theirs], "pattern": [f"{name}/*"],
                "elsewhere": [theirs], "free": None}  # fmt: skip
    secrets, named = {}, {}
    for what, models in narrowed.items():
        made = acme.post("/v1/keys", json={"name": f"blast-{what}", "models": models}).raise_for_status().json()
        secrets[what], named[made["id"]] = made["secret"], what
    with gateway.acme.client(secrets["only"]) as client:
        assert [ask(client, mine).status_code for _ in range(2)] == [200, 200]
    assert ask(acme, theirs).status_code == 200
    seen = len(upstream.calls())

    def hit() -> dict | None:
        found = acme.patch(f"/v1/providers/{provider_id}?preview=true", json={"state": "disabled"}).json()
        return found if sum(one["calls"] for one in found["calls"]) >= 2 else None  # entries come in rounds

    found = eventually(hit, within=WITHIN_S)
    assert found == acme.get(f"/v1/providers/{provider_id}/blast-radius").json()
    assert found["calls"] == [{"model": mine, "calls": 2}]
    dead = {named[one["id"]]: one["dead"] for one in found["keys"] if one["id"] in named}
    assert dead == {"only": True, "by-alias": True, "both": False, "pattern": True}
    assert {one["alias"]: one["dead"] for one in found["aliases"]} == {"lone": True, "route": False}
    # The preview changed nothing; the change does what it said.
    assert acme.get(f"/v1/providers/{provider_id}").json()["state"] == "active"
    assert len(upstream.calls()) == seen
    assert globex.get(f"/v1/providers/{provider_id}/blast-radius").status_code == 404
    assert globex.patch(f"/v1/providers/{provider_id}?preview=true", json={"state": "disabled"}).status_code == 404
    acme.patch(f"/v1/providers/{provider_id}", json={"state": "disabled"}).raise_for_status()
    asked = {"only": mine, "by-alias": "lone", "pattern": mine, "both": theirs, "elsewhere": theirs, "free": "route"}
    for what, model in asked.items():
        with gateway.acme.client(secrets[what]) as client:
            answer = ask(client, model)
            if dead.get(what):
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "provider_disabled")
            else:
                assert answer.status_code == 200, (what, answer.text)
    assert len(upstream.calls()) == seen + 3
