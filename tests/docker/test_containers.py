"""What the containers run, run: from a clean copy made by the Dockerfile, without root, with the environment of
compose.yaml, against servers that it reaches by URL and password only."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.docker import image, servers
from tests.docker.image import Container
from tests.docker.tree import DOCKER, compose
from tests.harness import eventually, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
ORGANIZATIONS = ("acme", "globex")
ROLES = ("embedder", "web", "worker", "scheduler", "console")


@dataclass(frozen=True)
class Site:
    """The installation: its containers, its secrets, and where its servers are."""

    containers: dict[str, Container]
    database_url: str
    store_port: int

    def manage(self, *arguments: str) -> str:
        done = self.containers["web"].run("manage", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def state(self, slug: str) -> str:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SELECT state FROM tenants_organization WHERE slug = %s", [slug]).fetchone()
        return str(row[0]) if row else ""

    def client(self, key: str) -> httpx.Client:
        web = f"http://127.0.0.1:{self.containers['web'].port}"
        return httpx.Client(base_url=web, headers={"authorization": f"Bearer {key}"}, timeout=30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    work = tmp_path_factory.mktemp("docker")
    shutil.copy(DOCKER / "make-secrets.sh", work)
    subprocess.run([work / "make-secrets.sh"], check=True, capture_output=True)
    secrets = work / "secrets"
    if confined := image.confined():  # the readers are users of a namespace here: the files stay this user's
        assert confined
        for path in secrets.iterdir():
            shutil.chown(path, 0 if confined[0] == "unshare" else 65534)
    image.build(work)
    with (
        servers.postgres(work / "postgres", password=(secrets / "database_password").read_text()) as database_port,
        servers.valkey(work / "valkey", secrets=secrets) as store_port,
    ):
        replace(secrets / "database_url", "ikiro_owner:", "operator:")
        replace(secrets / "database_url", "postgres:5432", f"127.0.0.1:{database_port}")
        replace(secrets / "redis_url", "valkey:6379", f"127.0.0.1:{store_port}")
        ports = {name: free_port() for name in (*ROLES, "migrate")}
        shared = short_directory()
        rewrites = {
            "/run/secrets": str(secrets),
            "http://web:8000": f"http://127.0.0.1:{ports['web']}",
            "/var/lib/ikiro-embedder": str(shared),
        }
        services = compose({"HOSTS": "console.example.com,127.0.0.1"})["services"]
        containers = {
            name: Container(name, services[name], work, work / name, rewrites, port) for name, port in ports.items()
        }
        try:
            yield Site(containers, (secrets / "database_url").read_text(), store_port)
        finally:
            for container in containers.values():
                container.kill()
            shutil.rmtree(shared)


def short_directory() -> Path:
    """The volume with the embedder's socket, whose path may have some hundred bytes; for whoever the containers are."""
    made = Path(tempfile.mkdtemp(prefix="ikiro-e-", dir="/tmp"))
    if image.confined()[:1] == ["setpriv"]:
        shutil.chown(made, 65534, 65534)
    return made


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_containers__from_nothing_to_a_chat_and_to_the_end__do_their_work(site: Site) -> None:
    migrated = site.containers["migrate"].run(*site.containers["migrate"].service["command"])
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    for role in ROLES:
        assert site.containers[role].health().returncode == 1
        site.containers[role].start()
    for role in ROLES:
        eventually(lambda role=role: site.containers[role].health().returncode == 0, within=60, every=0.5)

    with ThreadPoolExecutor(2) as beside:
        made = beside.map(lambda slug: site.manage("orgs", "create", slug, "--plan", "business"), ORGANIZATIONS)
        assert all("provisioning" in said for said in made)
        for slug in ORGANIZATIONS:
            eventually(lambda slug=slug: site.state(slug) == "ready", within=30)  # a worker built it
        acme_key, globex_key = beside.map(lambda slug: site.manage("orgs", "key", slug), ORGANIZATIONS)
    with site.client(acme_key) as acme, site.client(globex_key) as globex:
        memory = {"subject_id": "ada", "text": "The lighthouse is painted red.", "provenance": {"source": "test"}}
        assert acme.post("/v1/memories", json=memory).status_code == 201
        question = {
            "model": "ikiro/sandbox",
            "persona_id": "brand-default",
            "subject_id": "ada",
            "messages": [{"role": "user", "content": "How is the lighthouse painted?"}],
        }
        answer = acme.post("/v1/chat", json=question)
        assert answer.status_code == 200, answer.text
        assert "red" in answer.json()["choices"][0]["message"]["content"]
        assert globex.post("/v1/chat", json=question).json()["citations"] == []
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        entries = "SELECT count(*) FROM ledger_entry WHERE model <> 'ikiro/memory'"
        eventually(lambda: connection.execute(entries).fetchone() == (2,))  # the scheduler wrote them
        named = {row[0] for row in connection.execute("SELECT application_name FROM pg_stat_activity").fetchall()}
    assert named >= {"ikiro-web", "ikiro-worker", "ikiro-scheduler"}
    page = httpx.get(f"http://127.0.0.1:{site.containers['console'].port}/", follow_redirects=True)
    assert page.status_code == 200

    again = site.containers["migrate"].run("migrate")
    assert (again.returncode, again.stdout.strip()) == (0, "nothing to migrate"), again.stderr
    assert b"ready on" in site.containers["embedder"].log.read_bytes()
    for role in ("console", "web", "worker", "scheduler", "embedder"):
        assert site.containers[role].stop() in {0, -15}, site.containers[role].log.read_text()
        assert "Traceback" not in site.containers[role].log.read_text(errors="replace")
        assert site.containers[role].health().returncode == (1 if role in {"web", "console", "embedder"} else 0)


def test_store__without_the_password__answers_a_ping_and_no_more(site: Site) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=site.store_port, username="health", password="any", retry=once) as probe:
        assert probe.ping() is True
        with pytest.raises(redis.exceptions.NoPermissionError):
            probe.get("adm:seeded")
    with redis.Redis(port=site.store_port, retry=once) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
