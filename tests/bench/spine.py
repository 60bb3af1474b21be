"""A whole turn of ``/v1/chat`` over a thousand memories, and the memory of all processes."""

from __future__ import annotations

import time
from typing import Any

import psutil

from tests.bench.measure import load, pss_mb
from tests.bench.setting import Setting
from tests.harness import Gateway, Org

MEMORIES = 1000


def remember(org: Org, subject: str, count: int) -> None:
    words = [
        *("garden", "market", "train", "violin", "river", "coffee", "window"),
        *("letter", "winter", "summer", "bicycle", "museum", "kitchen", "island"),
    ]
    items = [
        {
            "subject_id": subject,
            "text": f"Note {n}: talked about the {words[n % 14]} and the {words[n * 5 % 13]} number {n * 7919 % 1000}",
            "provenance": {"source": "chat", "ref": f"c_{n}"},
        }
        for n in range(count)
    ]
    with org.client() as client:
        for start in range(0, count, 500):
            answer = client.post("/v1/memories", json={"items": items[start : start + 500]})
            if answer.status_code != 201 or any(item.get("error") for item in answer.json()["data"]):
                raise SystemExit(answer.text[:500])


def chat(setting: Setting) -> dict[str, Any]:
    """What a turn with a persona adds to the provider's answer, one caller at a time."""
    product = setting.product
    remember(product.acme, "bench", MEMORIES)
    body = {
        "model": "openai/bench", "persona_id": "brand-default", "subject_id": "bench",
        "messages": [{"role": "user", "content": "What did I say about the violin and the river?"}],
    }  # fmt: skip
    url = f"{product.base_url}/v1/chat"
    load(url, body, product.acme.api_key, requests=50, connections=1)
    direct = load(setting.at(setting.upstream), body, requests=300, connections=1)
    through = load(url, body, product.acme.api_key, requests=300, connections=1)
    return {
        "added_p50_ms": round(through["p50_ms"] - direct["p50_ms"], 2),
        "p99_ms": through["p99_ms"],
        "direct_p50_ms": direct["p50_ms"],
    }


def memory(setting: Setting) -> dict[str, Any]:
    """Proportional set size of every process, in MB."""
    product = setting.product
    time.sleep(1)
    per = {}
    for name, process in (("web", product.web), ("worker", product.worker), ("scheduler", product.scheduler)):
        per[name] = pss_mb(process.popen.pid)
    servers = [one for one in psutil.process_iter(["name", "cmdline"]) if _is_server(one, product)]
    per["servers"] = sum(pss_mb(one.pid) for one in servers)
    return {**per, "together": round(sum(per.values()), 1)}


def _is_server(process: psutil.Process, product: Gateway) -> bool:
    line = " ".join(process.info["cmdline"] or ())
    state = product.env["IKIRO_STATE_DIR"]
    ours = (line.startswith("postgres:") and "ikiro" in line) or ("ikiro-" in line and "valkey" in line)
    return ours or state in line
