"""A second web process of the running product, whose operator listens to all that it tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from tests.factories.people import committed_database, people
from tests.harness import Gateway, Org, Process, eventually, free_port
from tests.platform.telemetry.receiver import Receiver, receiving

__all__ = ["committed_database", "people"]
TOKEN = "metrics-token-for-the-scraper"


@dataclass
class Observed:
    """The product seen from its operator's side."""

    gateway: Gateway
    web: Process
    base_url: str
    receiver: Receiver

    def org(self, slug: str = "acme") -> Org:
        return replace(getattr(self.gateway, slug), base_url=self.base_url)


@pytest.fixture(scope="session")
def observed(gateway: Gateway) -> Iterator[Observed]:
    with receiving() as receiver:
        port = free_port()
        arguments = [str(port) if one == str(gateway.port) else one for one in gateway.web.arguments]
        told = {
            "PORT": str(port),
            "IKIRO_OTLP_ENDPOINT": receiver.base_url,
            "IKIRO_TELEMETRY_SINK": f"{receiver.base_url}/events",
            "IKIRO_METRICS_TOKEN": TOKEN,
            # As one of two on a shared port: it tells its figures, and those of the other.
            "IKIRO_WEB_PROCESSES": "2",
        }
        web = Process(arguments, {**gateway.web.env, **told}).start()
        base_url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: httpx.get(f"{base_url}/readyz", timeout=2).status_code == 200, within=40)
            yield Observed(gateway, web, base_url, receiver)
        finally:
            web.stop()
