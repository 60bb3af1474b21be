"""An installation of its own that a test may bring to a standstill: servers, two web processes, worker, scheduler, a
provider that counts. It is set as in production, but for what a test says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from gateway.core import ids
from ikiro.stack.testing import TestStack
from tests.harness import Gateway, Org, Process, eventually, free_port
from tests.proof.load import Caller

WEB_PROCESSES = 2
# One part in so many of what a budget has left may be in one worker's hand (admission/allowances.py).
SHARE = 50
# As in production; tests/plugin.py sets both otherwise for the rest of the suite.
LEASE_TTL_S = 60
_ADMISSION_TIMEOUT_MS = "100"


class Site:
    """``stack`` may be stopped and paused; ``ports`` are those of the web processes."""

    def __init__(self, place: Path, *, lease_ttl_s: int = LEASE_TTL_S) -> None:
        self.stack, self.lease_ttl_s = TestStack(place / "state").start(), lease_ttl_s
        port = free_port()
        self.provider_url = f"http://127.0.0.1:{port}"
        self.provider = Process(["-m", "tests.proof.provider", "--port", str(port)], dict(os.environ)).start()
        self.product = Gateway(
            self.stack.env,
            IKIRO_OPENAI_BASE_URL=f"{self.provider_url}/v1",
            IKIRO_OPENAI_API_KEY="sk-proof",
            IKIRO_WEB_PROCESSES=str(WEB_PROCESSES),
            IKIRO_ADMISSION_TIMEOUT_MS=_ADMISSION_TIMEOUT_MS,
            IKIRO_LEASE_TTL_S=str(lease_ttl_s),
        )
        self._others: list[Process] = []
        try:
            self.ports = self._begin()
        except BaseException:
            self.remove()
            raise

    def _begin(self) -> list[int]:
        self.product.prepare()
        for slug in ("acme", "globex"):
            self.product.manage("orgs", "limits", slug, "rate=100000", "calls=10000000")
        self.product.start()
        ports = [self.product.port, *(self.another().port for _ in range(WEB_PROCESSES - 1))]
        for port in ports:
            eventually(lambda port=port: self.get(port, "/readyz").status_code == 200, within=60)
        return ports

    @property
    def orgs(self) -> tuple[Org, Org]:
        return self.product.acme, self.product.globex

    def another(self) -> Process:
        """One more web process, started just now, on a ``port`` of its own; it runs until it or the site ends."""
        port = free_port()
        arguments = [str(port) if one == str(self.product.port) else one for one in self.product.web.arguments]
        process = Process(arguments, {**self.product.web.env, "PORT": str(port)}).start()
        process.port = port
        self._others.append(process)
        return process

    def remove(self) -> None:
        for process in (*self._others, self.product, self.provider):
            process.stop()
        self.stack.remove()

    def get(self, port: int, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=30, **options)

    def calls(self) -> int:
        """How many the provider answered or answers."""
        return int(httpx.get(f"{self.provider_url}/calls", timeout=10).json()["calls"])

    def key(self, org: Org, *, hard_micros: int | None = None) -> dict[str, Any]:
        """A new key, under a hard budget of so many micro-dollars or without any."""
        budget = {"budget": {"limit_micros": hard_micros, "window": "month", "hard": True}} if hard_micros else {}
        with org.client() as client:
            made = client.post("/v1/keys", json={"name": "stalled", **budget})
            assert made.status_code == 201, made.text
            return made.json()

    def callers(self, keys: dict[str, dict[str, Any]], *, each: int = 2) -> list[Caller]:
        """``each`` callers for every key, named as it is; they begin at different web processes."""
        turns = [self.ports[place:] + self.ports[:place] for place in range(len(self.ports))]
        return [
            Caller(f"{name} {number}", made["secret"], turns[number % len(turns)])
            for name, made in keys.items()
            for number in range(each)
        ]

    def entries(self, key: dict[str, Any]) -> list[tuple[str, int, int]]:
        """(request id, state, charged) of every row that the ledger has of a key."""
        found = self.stack.postgres.psql(
            f"SELECT request_id, state, charged_micros FROM ledger_entry WHERE key_id = '{ids.parse('key', key['id'])}'"
        )
        rows = (line.split("|") for line in found.splitlines())
        return [(ids.public("req", UUID(request)), int(state), int(charged)) for request, state, charged in rows]

    def spent(self, org: Org, key: dict[str, Any]) -> int:
        """What the key's budget counts as spent (micro-dollars)."""
        with org.client(key["secret"]) as client:
            answer = client.get("/v1/limits")
            assert answer.status_code == 200, answer.text
            return next(one for one in answer.json()["budgets"] if one["scope"] == "key")["spent_micros"]

    def open_leases(self) -> int:
        """Leases of calls that the store holds now; what workers have in hand is not counted."""
        return sum(value.startswith(b"lease|") for name in self._names(b"lease") for value in self._store().hvals(name))

    def unwritten(self) -> dict[str, int]:
        """What has yet to reach the ledger: entries in the store's streams, those that it could not take, and bytes in
        the workers' journals."""
        store = self._store()
        journals = Path(self.stack.env["IKIRO_STATE_DIR"]).glob("journal/*")
        return {
            "streams": sum(store.xlen(name) for name in self._names(b"usage")),
            "dead": sum(store.xlen(name) for name in self._names(b"dead")),
            "journals": sum(path.stat().st_size for path in journals),
        }

    def _names(self, kind: bytes) -> list[bytes]:
        return list(self._store().scan_iter(b"adm:{s*}:" + kind))

    def _store(self) -> Any:
        from gateway.core.valkey import sync_client

        return sync_client(self.stack.env["IKIRO_REDIS_URL"])


def healed_s(since: float, check: Callable[[], bool], *, within: float) -> float:
    """Seconds from ``since`` (``time.monotonic``) until ``check`` holds; fails when it does not ``within`` as many."""
    eventually(check, within=within, every=0.1)
    return time.monotonic() - since
