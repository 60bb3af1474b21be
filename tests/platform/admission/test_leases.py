"""Leases live as long as their worker, and end as exactly one estimated entry when it dies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.test import override_settings

from gateway.core import ids
from gateway.core.valkey import Valkey, shard_of
from gateway.platform.admission import services
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.leases import renew
from gateway.platform.admission.types import LeaseDraft
from tests.platform.support import ACME, GLOBEX, a_request, a_settlement, run

SOON = LeaseDraft(expires_in_s=0.3, estimate_micros=1200, facts={"surface": "v1", "model": "m", "prompt_tokens": 7})


def test_renew__leases_of_many_organizations__is_one_command_per_shard(url: str, client: Any, desk: Any) -> None:
    orgs = [ids.uuid7() for _ in range(20)]

    async def work(store: Valkey) -> None:
        requests = [a_request(org, lease=SOON) for org in orgs for _ in range(3)]
        admissions = await asyncio.gather(*(services.admit(store, request, **desk) for request in requests))
        leases = [admission.lease for admission in admissions]
        await renew(store, leases[:1])
        await services.settle(store, leases[0], a_settlement(), **desk)
        before = {lease.request_id: score(client, lease) for lease in leases[1:]}
        await asyncio.sleep(0.05)
        sent = store.commands_sent
        assert await renew(store, leases[1:]) == 59
        assert store.commands_sent - sent == len({shard_of(org) for org in orgs})
        assert await renew(store, leases[:1]) == 0
        assert all(score(client, lease) > before[lease.request_id] for lease in leases[1:])
        assert client.zscore(of_org(leases[0].org_id).leases, str(leases[0].request_id)) is None

    run(url, work)


def score(client: Any, lease: Any) -> float:
    return float(client.zscore(of_org(lease.org_id).leases, str(lease.request_id)))


def test_keeper__while_it_runs__no_lease_is_reaped_and_afterwards_each_once(url: str, client: Any, desk: Any) -> None:
    async def work(store: Valkey) -> None:
        for org in (ACME, GLOBEX):
            await services.admit(store, a_request(org, lease=SOON), **desk)
        keeping = asyncio.ensure_future(desk["keeper"].run(store))
        for _ in range(4):
            await asyncio.sleep(0.2)
            assert services.reap(client).leases == 0
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await asyncio.sleep(0.4)
        assert services.reap(client).leases == 2
        assert services.reap(client).leases == 0

    run(url, work)
    for org in (ACME, GLOBEX):
        stream = [fields for _, fields in client.xrange(of_org(org).usage)]
        [fields] = [fields for fields in stream if json.loads(fields[b"data"])["org_id"] == str(org)]
        assert fields[b"kind"] == b"estimated"
        assert (fields[b"estimate"], fields[b"calls"]) == (b"1200", b"1")
        assert json.loads(fields[b"data"])["prompt_tokens"] == 7


@pytest.mark.outage
def test_reap__right_after_the_store_came_back__leaves_older_leases_for_one_lease_time(
    url: str, stack: Any, client: Any, desk: Any
) -> None:
    async def work(store: Valkey) -> None:
        assert services.reap(client).leases == 0
        living = (await services.admit(store, a_request(lease=SOON), **desk)).lease
        await services.admit(store, a_request(lease=SOON), **desk)
        stack.valkey.kill()
        await asyncio.sleep(0.4)
        stack.valkey.start()
        with override_settings(IKIRO_LEASE_TTL_S=1.5):
            assert services.reap(client).leases == 0
            # The worker lived through it and settles now.
            await asyncio.sleep(1.1)
            assert await services.settle(store, living, a_settlement(), **desk) == 1
            assert services.reap(client).leases == 0
            await asyncio.sleep(0.6)
            assert services.reap(client).leases == 1

    run(url, work)
    kinds = [fields[b"kind"] for _, fields in client.xrange(of_org(ACME).usage)]
    assert kinds == [b"settled", b"estimated"]
