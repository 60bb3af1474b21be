"""Memory of the web process from its 20,000th to its 200,000th request."""

from __future__ import annotations

from typing import Any

import psutil

from tests.bench.measure import load
from tests.bench.setting import BODY, Setting

FIRST, LAST, STEP = 20_000, 200_000, 20_000


def measure(setting: Setting) -> dict[str, Any]:
    """RSS in MB after every ``STEP`` requests, and how much it grew."""
    web = psutil.Process(setting.web_pid)
    seen = []
    for _ in range(FIRST // STEP, LAST // STEP + 1):
        load(setting.url, BODY, setting.key, requests=STEP)
        seen.append(round(web.memory_info().rss / 2**20, 1))
    return {"rss_mb": seen, "grew_mb": round(seen[-1] - seen[0], 1)}
