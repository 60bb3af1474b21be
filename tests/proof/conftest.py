"""Four web processes of the running product in front of a provider that uses all it may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.harness import Gateway, Process, eventually, free_port

WORKERS = 4


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes is run only where it is asked for: ``make prove``, ``-m long``, or by its name."""
    if "long" in config.getoption("markexpr") or any("::" in one for one in config.args):
        return
    kept_out = [item for item in items if item.get_closest_marker("long") is not None]
    items[:] = [item for item in items if item not in kept_out]
    config.hook.pytest_deselected(items=kept_out)


@dataclass
class Fleet:
    """``ports[n]`` is where ``workers[n]`` listens; the provider counts what reached it."""

    product: Gateway
    ports: list[int]
    workers: list[Process]
    provider: str

    def calls(self) -> int:
        return httpx.get(f"{self.provider}/calls", timeout=10).json()["calls"]

    def wait_ready(self) -> None:
        """Until every worker answers."""
        for port in self.ports:
            eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200, within=60)  # noqa: B023

    def restart(self, number: int) -> None:
        """SIGKILL a worker and start it again; nothing gets to clean up."""
        self.workers[number].kill()
        self.workers[number].start()

    def recycle(self, number: int) -> None:
        """SIGTERM a worker, wait for its end, and start it again."""
        self.workers[number].stop()
        self.workers[number].start()


@pytest.fixture(scope="module")
def fleet(gateway: Gateway) -> Iterator[Fleet]:
    port = free_port()
    provider = Process(["-m", "tests.proof.provider", "--port", str(port)], dict(os.environ)).start()
    ports = [free_port() for _ in range(WORKERS)]
    workers = [_worker(gateway, own, f"http://127.0.0.1:{port}/v1").start() for own in ports]
    made = Fleet(gateway, ports, workers, f"http://127.0.0.1:{port}")
    made.wait_ready()
    yield made
    for process in (*workers, provider):
        process.stop()


def _worker(product: Gateway, port: int, provider: str) -> Process:
    arguments = [str(port) if one == str(product.port) else one for one in product.web.arguments]
    return Process(arguments, {**product.web.env, "PORT": str(port), "IKIRO_OPENAI_BASE_URL": provider})
