"""Streams: how soon the first chunk comes, and whether 256 paced ones side by side lose any."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.bench.measure import cpu_us, median, streams
from tests.bench.setting import BODY, Setting
from tests.harness import ROOT

AT_ONCE, ROUNDS = 256, 7


def measure(setting: Setting) -> dict[str, Any]:
    """First chunk against the plain proxy and the provider itself, one stream at a time; then many at once."""
    body = {**BODY, "stream": True}
    admission = _admission(setting)
    first, thinking = _firsts(setting, body), _firsts(setting, {**body, "thinks": True})
    used, many = cpu_us(setting.web_pid, AT_ONCE, lambda: streams(setting.url, body, setting.key, at_once=AT_ONCE))
    return {
        "first_chunk_ms": first,
        "first_chunk_ratio_to_proxy": round(first["ours"] / first["proxy"], 2),
        # Before the model may be called the store is asked once; this much of the difference is that question.
        "admission_alone_ms": admission,
        "least_ratio_with_an_admission": round(1 + admission["after_a_pause_ms"] / first["proxy"], 2),
        "first_chunk_of_a_model_that_thinks_ms": thinking,
        "first_chunk_ratio_of_a_model_that_thinks": round(thinking["ours"] / thinking["proxy"], 3),
        "paced_streams": many["streams"],
        "paced_frames": many["frames"],
        "paced_cpu_us_per_frame": round(used * AT_ONCE / many["frames"], 1),
        "paced_first_p99_ms": many["first_p99_ms"],
    }


def _firsts(setting: Setting, body: dict[str, Any]) -> dict[str, float]:
    """Milliseconds to the first chunk, one stream at a time."""
    firsts: dict[str, list[float]] = {"direct": [], "proxy": [], "ours": []}
    for _ in range(ROUNDS):
        for name, url, key in (
            ("direct", setting.at(setting.upstream), ""),
            ("proxy", setting.at(setting.proxy), ""),
            ("ours", setting.url, setting.key),
        ):
            firsts[name].append(streams(url, body, key, at_once=1, rounds=2)["first_p50_ms"])
    return {name: median(values) for name, values in firsts.items()}


def _admission(setting: Setting) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.roundtrip"], cwd=ROOT, env=dict(setting.product.env), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    result: dict[str, float] = json.loads(done.stdout)
    return result
