"""Streams: how soon the first chunk comes, and whether 256 paced ones side by side lose any."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import cpu_us, median, streams
from tests.bench.setting import BODY, Setting

AT_ONCE, ROUNDS = 256, 7


def measure(setting: Setting) -> dict[str, Any]:
    """First chunk against the plain proxy and the provider itself, one stream at a time; then many at once."""
    body = {**BODY, "stream": True}
    firsts: dict[str, list[float]] = {"direct": [], "proxy": [], "ours": []}
    for _ in range(ROUNDS):
        for name, url, key in (
            ("direct", setting.at(setting.upstream), ""),
            ("proxy", setting.at(setting.proxy), ""),
            ("ours", setting.url, setting.key),
        ):
            firsts[name].append(streams(url, body, key, at_once=1, rounds=2)["first_p50_ms"])
    first = {name: median(values) for name, values in firsts.items()}
    used, many = cpu_us(setting.web_pid, AT_ONCE, lambda: streams(setting.url, body, setting.key, at_once=AT_ONCE))
    return {
        "first_chunk_ms": first,
        "first_chunk_ratio_to_proxy": round(first["ours"] / first["proxy"], 2),
        "paced_streams": many["streams"],
        "paced_frames": many["frames"],
        "paced_cpu_us_per_frame": round(used * AT_ONCE / many["frames"], 1),
        "paced_first_p99_ms": many["first_p99_ms"],
    }
