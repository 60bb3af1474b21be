"""How a process is measured: CPU per request and memory from the system's own accounting, load from another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import psutil

from tests.harness import ROOT, Process, eventually, free_port


class Invalid(SystemExit):
    """A run with an error measures nothing."""


def load(
    url: str,
    body: Any,
    key: str = "",
    *,
    requests: int,
    connections: int = 64,
    headers: dict[str, str] | None = None,
    rate: float = 0.0,
) -> dict[str, Any]:
    """Send ``requests`` over ``connections`` kept open, at most ``rate`` a second; rps, p50_ms, p99_ms. Raises Invalid
    when one failed."""
    sent = {"authorization": f"Bearer {key}"} if key else {}
    return _generator(
        "tests.bench.load", url, "--body", json.dumps(body), "--headers", json.dumps({**sent, **(headers or {})}),
        "--requests", str(requests), "--connections", str(connections), "--rate", str(rate),
    )  # fmt: skip


def streams(
    url: str, body: Any, key: str = "", *, at_once: int, rounds: int = 1, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Read ``at_once`` paced streams side by side; frames counted, first_p50_ms. Raises Invalid when a frame is
    missing."""
    sent = {"authorization": f"Bearer {key}"} if key else {}
    return _generator(
        "tests.bench.streamload", url, "--body", json.dumps(body), "--headers", json.dumps({**sent, **(headers or {})}),
        "--at-once", str(at_once), "--rounds", str(rounds),
    )  # fmt: skip


def _generator(module: str, url: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, url, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Invalid(f"{module} {url} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    if result["errors"]:
        raise Invalid(f"invalid run of {url}: {result}")
    return result


def cpu_us(pid: int, requests: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU microseconds per request of a process and its children while ``work`` runs, and what that gave."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    before = _cpu_s(tree)
    result = work()
    return (_cpu_s(tree) - before) / requests * 1e6, result


def _cpu_s(tree: Iterable[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in tree)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def pss_mb(pid: int) -> float:
    """Proportional set size of a process and its children."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return round(sum(one.memory_full_info().pss for one in tree) / 2**20, 1)


def served(arguments: Callable[[int], list[str]], **env: str) -> Process:
    """A server of ours on a free port, ready to answer."""
    port = free_port()
    process = Process(arguments(port), {**os.environ, **env}).start()
    process.port = port
    eventually(lambda: httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", content=b"{}").status_code == 200)
    return process


def uvicorn(application: str) -> Callable[[int], list[str]]:
    """An application under the server and options of the product."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers"]
    return lambda port: ["-m", "uvicorn", application, "--port", str(port), *options]
