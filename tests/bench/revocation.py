"""From the answer of a revocation to the first refusal, key by key."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.setting import Setting

KEYS = 100


def measure(setting: Setting) -> dict[str, Any]:
    """p50 and p99 of the time, in ms, for which a revoked key still worked."""
    times = []
    with setting.product.acme.client() as owner:
        for number in range(KEYS):
            made = owner.post("/v1/keys", json={"name": f"bench {number}"}).json()
            with setting.product.acme.client(made["secret"]) as caller:
                assert caller.get("/v1/me").status_code == 200
                assert owner.delete(f"/v1/keys/{made['id']}").status_code == 200
                revoked = time.perf_counter()
                while caller.get("/v1/me").status_code != 401:
                    assert time.perf_counter() - revoked < 10
                times.append((time.perf_counter() - revoked) * 1000)
    times.sort()
    return {"p50_ms": round(times[KEYS // 2], 1), "p99_ms": round(times[int(KEYS * 0.99) - 1], 1)}
