"""The store stands still under traffic: known keys go on within what their worker has in hand, over real HTTP."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, eventually

STALLED_S = 8.0
CALLERS = 4
# Without a hard budget these take the fast lane, under one the usual lane.
CALL = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def rows(edge: Gateway, ids: list[str]) -> int:
    from gateway.core import ids as public

    named = ", ".join(f"'{public.parse('req', one)}'" for one in ids)
    found = edge.stack.postgres.psql(f"SELECT count(*) FROM ledger_entry WHERE state = 1 AND request_id IN ({named})")
    return int(found.strip())


def ask_for(edge: Gateway, key: str, seconds: float) -> list[httpx.Response]:
    """One caller's answers, one call after the other."""
    answers = []
    until = time.monotonic() + seconds
    with edge.acme.client(key) as client:
        while time.monotonic() < until:
            answers.append(client.post("/v1/chat/completions", json=CALL))
            time.sleep(0.1)
    return answers


@pytest.mark.outage
def test_store_stalled__keys_without_a_hard_budget__see_no_error_and_every_call_is_an_entry(
    edge: Gateway, upstream: Any
) -> None:
    with edge.acme.client() as client:
        free, strict = (
            client.post("/v1/keys", json={"name": "stalled", **more}).json()["secret"]
            for more in ({}, {"budget": {"limit_micros": 1_000_000, "window": "month", "hard": True}})
        )
    for key in (free, strict):
        with edge.acme.client(key) as client:
            assert eventually(lambda c=client: c.post("/v1/chat/completions", json=CALL).status_code == 200, within=15)
    time.sleep(2.5)  # what is in hand is taken in hand once a second
    answers: list[httpx.Response] = []
    edge.stack.valkey.pause()
    try:
        with ThreadPoolExecutor(CALLERS) as pool:
            going = [pool.submit(ask_for, edge, free, STALLED_S) for _ in range(CALLERS)]
            time.sleep(2)
            with edge.acme.client() as client:
                assert client.get("/v1/personas").status_code == 200
            with edge.globex.client("ik_live_nobody") as stranger:
                assert stranger.get("/v1/me").status_code == 401
            for caller in going:
                answers += caller.result()
    finally:
        edge.stack.valkey.resume()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200}
    assert len(statuses) > CALLERS * 5
    # No bodies' worth of entries is lost, none is there twice.
    made = [answer.headers["x-request-id"] for answer in answers]
    assert eventually(lambda: rows(edge, made) == len(made), within=30), rows(edge, made)


@pytest.mark.outage
def test_store_stalled__key_under_a_hard_budget__goes_on_within_what_is_in_hand_then_503(
    edge: Gateway, upstream: Any
) -> None:
    priced = {**CALL, "model": "openai/gpt-4o-mini", "max_tokens": 1000}
    with edge.acme.client() as client:
        budget = {"limit_micros": 50_000, "window": "month", "hard": True}
        key = client.post("/v1/keys", json={"name": "strict", "budget": budget}).json()["secret"]
    with edge.acme.client(key) as client:
        assert eventually(lambda: client.post("/v1/chat/completions", json=priced).status_code == 200, within=15)
        time.sleep(2.5)
        edge.stack.valkey.pause()
        try:
            # What a call did not cost of what was held for it is in hand again, so it goes on for some dozens.
            answers = []
            while len(answers) < 300 and (not answers or answers[-1].status_code == 200):
                answers.append(client.post("/v1/chat/completions", json=priced))
        finally:
            edge.stack.valkey.resume()
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {200, 503}
        assert 503 in statuses
        refused = answers[statuses.index(503)]
        assert refused.headers["retry-after"]
        assert refused.json()["error"]["code"] == "store_unavailable"
        let_in = [answer for answer in answers if answer.status_code == 200]
        assert let_in
        assert eventually(lambda: client.get("/v1/limits").status_code == 200, within=15)
        made = [answer.headers["x-request-id"] for answer in let_in]
        assert eventually(lambda: rows(edge, made) == len(made), within=30)
        [shown] = client.get("/v1/limits").json()["budgets"]
        assert 0 < shown["spent_micros"] <= 50_000
