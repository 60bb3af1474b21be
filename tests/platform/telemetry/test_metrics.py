"""``/metrics``: what is counted, in Prometheus' own words, and who may see it."""

from __future__ import annotations

import json
import secrets
import time
from types import SimpleNamespace

import httpx
import redis
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from gateway.platform.telemetry.families import exposition, from_plain
from gateway.platform.telemetry.metrics import SECONDS, Metrics
from tests.harness import eventually
from tests.platform.telemetry.conftest import TOKEN, Observed

Figures = dict[str, dict[tuple[tuple[str, str], ...], float]]


def figures(text: str) -> Figures:
    """Each sample by name and labels, the process left out."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "process"))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def scraped(observed: Observed) -> Figures:
    answer = httpx.get(f"{observed.base_url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    return figures(answer.text)


def labelled(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def test_families__of_planted_counts__add_up_and_travel() -> None:
    counted = Metrics()
    operation = counted.operation("v1", "chat")
    for status, seconds in ((200, 0.003), (200, 0.3), (503, 500.0)):
        operation.done(status, seconds)
    assert counted.operation("v1", "chat") is operation
    call = SimpleNamespace(
        prompt_tokens=10, completion_tokens=5, cached_tokens=4, charged_micros=7, latency_ms=120, ttft_ms=None
    )
    counted.settled("openai", call)
    counted.settled("their-own-provider", call)
    counted.settled("another", call)
    counted.attempted("openai", "upstream_error")
    counted.refused("rate_limited", "key")
    there = from_plain(json.loads(json.dumps([family.plain() for family in counted.families()])))
    text = exposition({"a:1": there, "b:2": there}).decode()
    assert text.count("# TYPE ikiro_requests_total counter") == 1
    assert text.count('process="a:1"') == text.count('process="b:2"') > 20
    found = figures(text)
    of = labelled(surface="v1", operation="chat")
    assert found["ikiro_requests_total"][labelled(surface="v1", operation="chat", status="2xx")] == 2
    assert found["ikiro_requests_total"][labelled(surface="v1", operation="chat", status="5xx")] == 1
    buckets = {dict(key)["le"]: value for key, value in found["ikiro_request_seconds_bucket"].items()}
    assert (buckets["0.0025"], buckets["0.005"], buckets["0.5"], buckets["120.0"], buckets["+Inf"]) == (0, 1, 2, 2, 3)
    assert len(buckets) == len(SECONDS) + 1
    assert found["ikiro_request_seconds_count"][of] == 3
    assert found["ikiro_tokens_total"] == {
        labelled(provider=provider, kind=kind): times * count
        for provider, times in (("openai", 1), ("custom", 2))
        for kind, count in (("prompt", 10), ("completion", 5), ("cached", 4))
    }
    assert found["ikiro_charged_micros_total"][labelled(provider="custom")] == 14
    assert found["ikiro_upstream_attempts_total"] == {labelled(provider="openai", code="upstream_error"): 1}
    assert found["ikiro_admission_refusals_total"] == {labelled(code="rate_limited", level="key"): 1}
    assert "ikiro_time_to_first_token_seconds_count" not in found


def test_answers__of_each_provider__count_what_a_settlement_and_its_attempt_count() -> None:
    together, apart = Metrics(), Metrics()
    for number, provider in enumerate(("openai", "openai", "somebody")):
        numbers = {"prompt_tokens": 5 + number, "completion_tokens": 7, "cached_tokens": number, "charged_micros": 11}
        together.settled(provider, SimpleNamespace(**numbers, latency_ms=40 * number, ttft_ms=40 * number))
        together.attempted(provider, "ok")
        apart.answers(provider).add(5 + number, 7, number, 11, 0.04 * number)
    told = [[family.plain() for family in one.families()] for one in (together, apart)]
    assert json.dumps(told[0]) == json.dumps(told[1])


def test_scrape__after_calls__counts_them_and_shows_what_is_held(observed: Observed) -> None:
    before = scraped(observed)
    body = {"model": "openai/fake:normal", "messages": [{"role": "user", "content": "hello"}]}
    with observed.org().client() as client:
        for _ in range(2):
            client.post("/v1/chat/completions", json=body).raise_for_status()
        client.get("/v1/requests/nothing")
        client.get(f"/v1/{secrets.token_hex(6)}")
    after = scraped(observed)

    def grown(name: str, **labels: str) -> float:
        key = labelled(**labels)
        return after[name].get(key, 0) - before.get(name, {}).get(key, 0)

    of = {"surface": "openai", "operation": "chat_completions"}
    names = {dict(key)["operation"] for key in after["ikiro_requests_total"]}
    of["operation"] = next(name for name in names if "complet" in name)
    assert grown("ikiro_requests_total", **of, status="2xx") == 2
    assert grown("ikiro_request_seconds_count", **of) == 2
    assert grown("ikiro_upstream_attempts_total", provider="openai", code="ok") == 2
    assert grown("ikiro_model_call_seconds_count", provider="openai") == 2
    assert grown("ikiro_time_to_first_token_seconds_count", provider="openai") == 2
    assert grown("ikiro_tokens_total", provider="openai", kind="prompt") > 0
    assert grown("ikiro_tokens_total", provider="openai", kind="completion") > 0
    assert grown("ikiro_requests_total", surface="v1", operation="none", status="4xx") == 1
    assert grown("ikiro_requests_total", surface="v1", operation="get_request", status="4xx") == 1
    assert after["ikiro_store_up"][()] == 1
    assert after["ikiro_directory_version"][()] > 0
    assert after["ikiro_breaker_state"][labelled(provider="openai", state="closed")] == 1
    for gauge in ("ikiro_leases_open", "ikiro_journal_bytes", "ikiro_usage_backlog", "ikiro_directory_age_seconds"):
        assert after[gauge][()] >= 0
    assert after["ikiro_db_connections"][labelled(state="open")] >= 1
    assert 0 <= after["ikiro_event_loop_lag_seconds"][()] < 60


def test_scrape__labels__never_name_an_organization_key_or_model(observed: Observed) -> None:
    tag = secrets.token_hex(6)
    body = {"model": f"openai/fake:normal,tag={tag}", "messages": [{"role": "user", "content": "hello"}]}
    with observed.org().client() as client:
        me = client.get("/v1/me").json()
        client.post("/v1/chat/completions", json=body).raise_for_status()
        client.get(f"/v1/requests/{tag}")
    text = httpx.get(f"{observed.base_url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30).text
    for word in (tag, me["organization"]["id"], me["key"]["id"], "acme"):
        assert word not in text


def test_scrape__of_a_shared_port__has_the_siblings_figures_while_they_live(observed: Observed) -> None:
    store = redis.Redis.from_url(settings.IKIRO_REDIS_URL, decode_responses=True)
    lately = [["ikiro_leases_open", "gauge", "about", [["", {}, 7.0]]]]
    store.hset("metrics:web", "sibling:1", json.dumps({"at": time.time(), "families": lately}))
    store.hset("metrics:web", "long-gone:2", json.dumps({"at": time.time() - 60, "families": lately}))
    try:
        text = httpx.get(f"{observed.base_url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30).text
        assert 'ikiro_leases_open{process="sibling:1"} 7.0' in text
        assert text.count("# TYPE ikiro_leases_open gauge") == 1
        assert "long-gone" not in text
        assert store.hexists("metrics:web", "long-gone:2") is False
        own = {name for name in store.hkeys("metrics:web") if name != "sibling:1"}
        assert all(f'process="{name}"' in text for name in own)
        eventually(lambda: len(set(store.hkeys("metrics:web")) - {"sibling:1"}) == 1, within=20)
    finally:
        store.hdel("metrics:web", "sibling:1", "long-gone:2")
        store.close()


def test_scrape__by_others__is_refused(observed: Observed) -> None:
    protected, open_here = f"{observed.base_url}/metrics", f"{observed.gateway.base_url}/metrics"
    assert httpx.get(protected).status_code == 401
    assert httpx.get(protected, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert httpx.get(open_here, timeout=30).status_code == 200
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
        assert httpx.get(open_here, headers={name: "203.0.113.9"}).status_code == 403
