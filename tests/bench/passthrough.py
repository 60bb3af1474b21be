"""A plain completion through the gateway, with key, limits, quota, lease and ledger on, and through its peers."""

from __future__ import annotations

from typing import Any

from tests.bench.measure import cpu_us, load, median, pss_mb
from tests.bench.peers import run
from tests.bench.peers.install import NotMeasured
from tests.bench.setting import BODY, Setting

ROUNDS, REQUESTS = 5, 6400
# Slower ones get fewer requests, so that a round takes each about as long.
PEERS = {"litellm": (run.litellm, 400), "portkey": (run.portkey, 3200)}


def ours(setting: Setting) -> dict[str, Any]:
    """CPU of ours against the bare constant, round by round, and what is added to one caller's answer."""
    least, used, rps = _rounds(setting)
    at_our_rate = _bare_at(setting, rps)
    direct = load(setting.at(setting.upstream), BODY, requests=500, connections=1)
    through = load(setting.url, BODY, setting.key, requests=500, connections=1)
    return {
        "bare_cpu_us": round(least, 1),
        "cpu_us": round(used, 1),
        "ratio_to_bare": round(used / least, 2),
        # The constant alone keeps its callers so busy that no packet wakes anybody; at our rate it pays for that too.
        "bare_at_our_rate_cpu_us": round(at_our_rate, 1),
        "ratio_to_bare_at_our_rate": round(used / at_our_rate, 2),
        "rps_per_core": round(1e6 / used),
        "rps": rps,
        "added_p50_ms": round(through["p50_ms"] - direct["p50_ms"], 3),
    }


def peers(setting: Setting) -> dict[str, Any]:
    """The same call through each peer, between two measurements of ours."""
    figures: dict[str, Any] = {}
    for name, (start, requests) in PEERS.items():
        try:
            with start(setting.upstream.port) as peer:
                body = {**BODY, "model": peer.model}
                load(peer.url, body, peer.key, requests=requests // 8, connections=8, headers=peer.headers)
                theirs = []
                mine = []
                for _ in range(3):
                    mine.append(_rounds(setting, rounds=1)[1])
                    used, _ = cpu_us(
                        peer.pid, requests,
                        lambda: load(peer.url, body, peer.key, requests=requests, headers=peer.headers),  # noqa: B023
                    )  # fmt: skip
                    theirs.append(used)
                figures[name] = {
                    "cpu_us": round(median(theirs), 1),
                    "ours_cpu_us": round(median(mine), 1),
                    "rps_per_core_ratio": round(median(theirs) / median(mine), 1),
                    "pss_mb": pss_mb(peer.pid),
                }
        except NotMeasured as why:
            figures[name] = {"not_measured": str(why)}
    return figures


def _bare_at(setting: Setting, rate: float) -> float:
    assert setting.bare.popen is not None
    found = []
    for _ in range(ROUNDS):
        used, _ = cpu_us(
            setting.bare.popen.pid, REQUESTS,
            lambda: load(setting.at(setting.bare), BODY, requests=REQUESTS, rate=rate),
        )  # fmt: skip
        found.append(used)
    return median(found)


def _rounds(setting: Setting, rounds: int = ROUNDS) -> tuple[float, float, float]:
    assert setting.bare.popen is not None
    load(setting.url, BODY, setting.key, requests=500)
    least, used, rps = [], [], []
    for _ in range(rounds):
        bare, _ = cpu_us(
            setting.bare.popen.pid, 5 * REQUESTS, lambda: load(setting.at(setting.bare), BODY, requests=5 * REQUESTS)
        )
        mine, result = cpu_us(
            setting.web_pid, REQUESTS, lambda: load(setting.url, BODY, setting.key, requests=REQUESTS)
        )
        least.append(bare)
        used.append(mine)
        rps.append(result["rps"])
    return median(least), median(used), median(rps)
