"""The running product for the bench: its own stores, web, worker and embedder; data goes in by COPY, questions by
HTTP."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from gateway.core import ids
from gateway.core.embedder.frames import MODEL_ID
from ikiro.embedder.model import load as load_model
from ikiro.stack.testing import TestStack
from tests.bench.memory.dataset import Question
from tests.embedding import Embedder
from tests.harness import Gateway, Org, eventually

LIMITS = ("rate=1000000000", "calls=1000000000", "memories=100000000", "memory_operations=1000000000")


class Product:
    """``embed`` computes what the embedder process would; ``tenant`` is a transaction in an organization's schema."""

    def __init__(self, stack: TestStack, gateway: Gateway, embedder: Embedder) -> None:
        self.stack, self.gateway, self.embedder = stack, gateway, embedder
        self.model_id = MODEL_ID
        self._model = load_model(stack.places.state / "embedder")
        self.degraded = 0
        self.client = httpx.Client(base_url=gateway.base_url, timeout=60)

    def embed(self, texts: Sequence[str]) -> Any:
        return self._model.embed(texts)

    def connect(self, org: Org) -> psycopg.Connection[Any]:
        """A connection of the owner's, every statement its own transaction, in the organization's schema."""
        connection = psycopg.connect(self.gateway.env["IKIRO_DATABASE_URL"], autocommit=True)
        found = connection.execute("SELECT schema_name FROM tenants_organization WHERE slug = %s", [org.slug])
        (schema,) = found.fetchone() or ("",)
        connection.execute(f'SET search_path = "{schema}", public')
        return connection

    @contextmanager
    def tenant(self, org: Org) -> Iterator[Any]:
        """A cursor in one transaction in the organization's schema."""
        with self.connect(org) as connection, connection.transaction():
            yield connection.cursor()

    def answering(self, org: Org, took_ms: list[float] | None = None) -> Callable[[Question, int, bool], list[Any]]:
        """Asks ``POST /v1/memories/recall``; returns memory ids, and notes how long each took and how many answers went
        without the dense part (``degraded``)."""
        headers = {"authorization": f"Bearer {org.api_key}"}

        def answer(question: Question, k: int, only_relevant: bool) -> list[Any]:
            body: dict[str, Any] = {"subject_id": question.subject, "query": question.text, "k": k}
            if only_relevant:
                body["only_relevant"] = True
            for name in ("as_of", "known_at"):
                if (moment := getattr(question, name)) is not None:
                    body[name] = moment.isoformat()
            began = time.perf_counter()
            found = self.client.post("/v1/memories/recall", json=body, headers=headers)
            if took_ms is not None:
                took_ms.append((time.perf_counter() - began) * 1000)
            if found.status_code != 200:
                raise SystemExit(f"recall answered {found.status_code}: {found.text[:500]}")
            answered = found.json()
            self.degraded += answered["degraded"]
            if answered["cache_hit"]:
                raise SystemExit("an answer came from the cache, which measures nothing")
            return [ids.parse("mem", memory["id"]) for memory in answered["data"]]

        return answer

    def wait_whole(self, subject: str) -> None:
        """Until the web process has found the embedder again."""
        asked = itertools.count()

        def whole() -> bool:
            self.degraded = 0
            words = f"Is anybody there, for the {next(asked)}th time?"
            self.answering(self.gateway.acme)(Question("", subject, words, ""), 1, False)
            return not self.degraded

        eventually(whole, within=60, every=0.5)

    def cpu_s(self) -> float:
        """CPU seconds that everything of the product has used so far."""
        return sum(sum(one.cpu_times()[:2]) for one in self._servers())

    def on_one_core(self) -> None:
        """Everything that answers runs on the first core, this process on the others."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            return
        for process in self._servers():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores[:1])
        os.sched_setaffinity(0, cores[1:])

    def _servers(self) -> list[psutil.Process]:
        """Web, worker, scheduler, embedder, PostgreSQL and Valkey of this bench, with their children."""
        state = str(self.stack.places.state)
        started = [self.gateway.web, self.gateway.worker, self.gateway.scheduler, self.embedder]
        roots = [psutil.Process(one.popen.pid) for one in started if one.popen is not None]
        roots += [
            one for one in psutil.process_iter(["cmdline"])
            if any(state in part for part in one.info["cmdline"] or ()) and one.pid != os.getpid()
        ]  # fmt: skip
        return list({one.pid: one for root in roots for one in (root, *root.children(recursive=True))}.values())


@contextmanager
def running() -> Iterator[Product]:
    """The whole product on stores of its own, with two organizations and no limits in the way."""
    with (
        tempfile.TemporaryDirectory(prefix="ikiro-bench-") as place,
        TestStack(Path(place) / "state", durable=True) as stack,
    ):
        gateway = Gateway(stack.env, DJANGO_SETTINGS_MODULE="ikiro.settings.local")
        embedder = Embedder(stack.env)
        try:
            embedder.start().ready()
            gateway.prepare()
            for slug in ("acme", "globex"):
                gateway.manage("orgs", "limits", slug, *LIMITS)
            # Every question is answered by the database, also one that was asked before.
            gateway.manage("flags", "kill", "cache-memory-ttl-seconds", "--reason", "a bench measures recall")
            gateway.start()
            yield Product(stack, gateway, embedder)
        finally:
            gateway.stop()
            embedder.stop()
