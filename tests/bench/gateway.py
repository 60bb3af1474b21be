"""``make bench-gateway``: what the gateway adds, in ratios of one run on one machine. A run with an error is invalid.

CPU per request is that of the web process alone, from its own accounting; the load generator and the provider are other
processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from ikiro.stack.testing import TestStack
from tests.harness import ROOT, Gateway, Org, Process, eventually, free_port

ROUNDS, REQUESTS, CONNECTIONS = 5, 6400, 64
MEMORIES = 1000


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="ikiro-bench-") as place,
        TestStack(Path(place) / "state", durable=True) as stack,
    ):
        upstream, bare = provider(), floor()
        product = Gateway(
            stack.env,
            IKIRO_OPENAI_BASE_URL=f"http://127.0.0.1:{upstream.port}/v1",
            DJANGO_SETTINGS_MODULE="ikiro.settings.local",
        )
        try:
            product.prepare()
            product.manage("orgs", "limits", "acme", "rate=1000000000", "calls=1000000000")
            product.start()
            figures = {**pass_through(product, bare, upstream), **chat(product, upstream), **memory(product)}
        finally:
            product.stop()
            upstream.stop()
            bare.stop()
    print(json.dumps(figures, indent=1))
    return 0


def floor() -> Process:
    """The bare application, under the server and options of the product."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers"]
    return _served(lambda port: ["-m", "uvicorn", "tests.bench.apps:constant", "--port", str(port), *options])


def provider() -> Process:
    """The provider behind the gateway."""
    return _served(lambda port: ["-m", "tests.bench.apps", "--port", str(port)])


def _served(arguments: Callable[[int], list[str]]) -> Process:
    port = free_port()
    process = Process(arguments(port), dict(os.environ)).start()
    process.port = port
    eventually(lambda: httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", content=b"{}").status_code == 200)
    return process


def load(
    url: str, body: Any, key: str = "", *, requests: int = REQUESTS, connections: int = CONNECTIONS
) -> dict[str, Any]:
    headers = json.dumps({"authorization": f"Bearer {key}"} if key else {})
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load", url, "--body", json.dumps(body), "--headers", headers,
         "--requests", str(requests), "--connections", str(connections)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    if result["errors"] or result["requests"] != requests:
        raise SystemExit(f"invalid run of {url}: {result}")
    return result


def cpu_us(
    process: Process, url: str, body: Any, key: str = "", *, requests: int = REQUESTS
) -> tuple[float, dict[str, Any]]:
    observed = psutil.Process(process.popen.pid)
    before = observed.cpu_times()
    result = load(url, body, key, requests=requests)
    after = observed.cpu_times()
    used = after.user + after.system - before.user - before.system
    return used / requests * 1e6, result


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def pass_through(product: Gateway, bare: Process, upstream: Process) -> dict[str, Any]:
    body = {"model": "openai/bench", "messages": [{"role": "user", "content": "hello " * 50}]}
    url, key = f"{product.base_url}/v1/chat/completions", product.acme.api_key
    load(url, body, key, requests=500)
    ours, least, rps = [], [], []
    for _ in range(ROUNDS):
        least.append(cpu_us(bare, f"http://127.0.0.1:{bare.port}/", body, requests=5 * REQUESTS)[0])
        used, result = cpu_us(product.web, url, body, key)
        ours.append(used)
        rps.append(result["rps"])
    direct = load(f"http://127.0.0.1:{upstream.port}/v1/chat/completions", body, requests=500, connections=1)
    through = load(url, body, key, requests=500, connections=1)
    return {
        "bare_cpu_us": round(median(least), 1),
        "pass_through_cpu_us": round(median(ours), 1),
        "pass_through_ratio": round(median(ours) / median(least), 2),
        "pass_through_rps": median(rps),
        "pass_through_added_p50_ms": round(through["p50_ms"] - direct["p50_ms"], 3),
    }


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


def chat(product: Gateway, upstream: Process) -> dict[str, Any]:
    remember(product.acme, "bench", MEMORIES)
    body = {
        "model": "openai/bench", "persona_id": "brand-default", "subject_id": "bench",
        "messages": [{"role": "user", "content": "What did I say about the violin and the river?"}],
    }  # fmt: skip
    url = f"{product.base_url}/v1/chat"
    load(url, body, product.acme.api_key, requests=50, connections=1)
    direct = load(f"http://127.0.0.1:{upstream.port}/v1/chat/completions", body, requests=300, connections=1)
    through = load(url, body, product.acme.api_key, requests=300, connections=1)
    return {
        "chat_added_p50_ms": round(through["p50_ms"] - direct["p50_ms"], 2),
        "chat_p99_ms": through["p99_ms"],
        "chat_direct_p50_ms": direct["p50_ms"],
    }


def memory(product: Gateway) -> dict[str, Any]:
    time.sleep(1)
    per = {}
    for name, process in (("web", product.web), ("worker", product.worker), ("scheduler", product.scheduler)):
        per[name] = pss(psutil.Process(process.popen.pid))
    servers = [one for one in psutil.process_iter(["name", "cmdline"]) if _is_server(one, product)]
    per["servers"] = sum(pss(one) for one in servers)
    return {"pss_mb": {**per, "together": round(sum(per.values()), 1)}}


def _is_server(process: psutil.Process, product: Gateway) -> bool:
    line = " ".join(process.info["cmdline"] or ())
    state = product.env["IKIRO_STATE_DIR"]
    ours = (line.startswith("postgres:") and "ikiro" in line) or ("ikiro-" in line and "valkey" in line)
    return ours or state in line


def pss(process: psutil.Process) -> float:
    """Proportional set size of a process and its children, in MB."""
    return round(sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))) / 2**20, 1)


if __name__ == "__main__":
    sys.exit(main())
