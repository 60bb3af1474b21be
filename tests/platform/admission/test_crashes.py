"""Two hundred callers in four processes that are killed at random: a hard budget is never overspent, and what the model
did is what the ledger is told."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core.valkey import SHARDS, sync_client
from gateway.platform.admission import services
from gateway.platform.admission.keys import of_org
from gateway.platform.ledger.names import seeded
from tests.architecture.tree import ROOT
from tests.platform.admission.caller import BUDGET, CALLERS, TTL_S, UPSTREAM_DB
from tests.platform.support import ACME

PROCESSES, SECONDS = 4, 8.0


def within(seconds: float, done: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if done():
            return True
        time.sleep(0.2)
    return done()


def charged(fields: dict[bytes, bytes]) -> int:
    if fields[b"kind"] == b"estimated":
        return int(fields[b"estimate"])
    return int(json.loads(fields[b"data"])["charged_micros"])


@pytest.mark.outage
def test_hard_budget__two_hundred_callers_and_random_kills__is_never_overspent_and_every_call_is_an_entry(
    url: str, client: Any
) -> None:
    client.mset({seeded(shard): "0|0" for shard in range(SHARDS)})
    dice = random.Random(4)
    keys, month = of_org(ACME), f"{datetime.now(UTC):%Y%m}"

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.platform.admission.caller", url, str(dice.randrange(10**6))]
        return subprocess.Popen(command, cwd=ROOT)

    workers = [start() for _ in range(PROCESSES)]
    kills = 0
    try:
        assert within(60, lambda: client.hlen(keys.lease) > CALLERS)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.2, 0.8))
            services.reap(client)
            spent, held = (int(n or 0) for n in client.hmget(keys.use(month), "spend", "held"))
            assert spent + held <= BUDGET
            victim = dice.randrange(PROCESSES)
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            workers[victim] = start()
            kills += 1
        # Let the last ones spend what is left.
        assert within(60, lambda: int(client.hget(keys.use(month), "spend") or 0) > BUDGET - 200_000)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    def reaped() -> bool:
        services.reap(client)
        return bool(client.hlen(keys.lease) == 0)

    assert within(TTL_S + 30, reaped)
    assert kills > 5
    assert client.zcard(keys.leases) == 0
    entries = [fields for _, fields in client.xrange(keys.usage)]
    spent, held = (int(n or 0) for n in client.hmget(keys.use(month), "spend", "held"))
    assert (sum(map(charged, entries)), held) == (spent, 0)
    assert BUDGET - 200_000 < spent <= BUDGET
    # Each call that reached the model is one entry; beside them only what died between the door and the model.
    told = [json.loads(fields[b"data"])["request_id"] for fields in entries]
    with sync_client(url.replace("db=0", f"db={UPSTREAM_DB}")) as upstream:
        counted = {request_id.decode() for request_id in upstream.smembers("calls")}
        upstream.flushdb()
    assert len(told) == len(set(told))
    assert counted <= set(told)
    estimated = [fields for fields in entries if fields[b"kind"] == b"estimated"]
    assert len(told) - len(counted) <= len(estimated)
