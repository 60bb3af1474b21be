"""A backup is worth what the product does with it: after a restore the same key chats from the same memories and the
audit holds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ikiro.stack.places import make_places
from tests.harness import eventually
from tests.stack.conftest import ROOT
from tests.stack.test_up import Up, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PASSPHRASE = "a long passphrase for this test"


class Installation:
    """One state directory and the command line on it."""

    def __init__(self, directory: Path) -> None:
        self.places = make_places(directory / "state")
        self.log = directory / "up.log"
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("IKIRO_", "PG", "DJANGO_"))}
        self.environ = {
            **outer,
            "IKIRO_STATE_DIR": str(self.places.state),
            "IKIRO_BACKUP_PASSPHRASE": PASSPHRASE,
            "PYTHONPATH": str(ROOT),
            "PORT": str(free_port()),
        }

    def up(self) -> Up:
        return Up(self.environ, self.log)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, key: str) -> httpx.Client:
        base_url = f"http://127.0.0.1:{self.environ['PORT']}"
        return httpx.Client(base_url=base_url, headers={"authorization": f"Bearer {key}"}, timeout=30)


@pytest.fixture
def installations(tmp_path: Path) -> Iterator[list[Installation]]:
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        made.append(Installation(tmp_path / name))
    yield made
    for one in made:
        shutil.rmtree(one.places.runtime, ignore_errors=True)


def turn(text: str) -> dict[str, object]:
    return {
        "model": "ikiro/sandbox",
        "persona_id": "brand-default",
        "subject_id": "restored",
        "messages": [{"role": "user", "content": text}],
    }


def leave_a_trace(client: httpx.Client) -> str:
    """Propose, approve and so remember; returns the memory's id."""
    whole = client.post("/v1/chat", json=turn("Please remember that my tortoise is called Edison.")).json()
    proposal = whole["proposedWrites"][0]["proposal_id"]
    assert client.post(f"/v1/proposals/{proposal}/approve", json={}).json()["state"] == "executed"
    eventually(lambda: client.get("/v1/audit/verify").json()["unsealed"] == 0)
    return client.get("/v1/memories", params={"subject_id": "restored"}).json()["data"][0]["id"]


def check_trace(client: httpx.Client, memory_id: str) -> None:
    """The chat cites what was remembered, and the audit chain holds and grows."""
    answer = eventually(lambda: client.post("/v1/chat", json=turn("What is my tortoise called?")))
    assert answer.status_code == 200, answer.text
    assert "Edison" in answer.json()["choices"][0]["message"]["content"]
    assert [one["factId"] for one in answer.json()["citations"]] == [memory_id]
    verified = eventually(lambda: (found := client.get("/v1/audit/verify").json())["unsealed"] == 0 and found)
    assert verified["ok"] is True
    assert verified["sealed"] > 0


def test_restore__everything_elsewhere__chats_from_the_same_memories_and_verifies(
    installations: list[Installation], tmp_path: Path
) -> None:
    first, second = installations
    running = first.up()
    try:
        key = json.loads(first.run("manage.py", "quickstart", "--json").splitlines()[-1])["api_key"]
        with first.client(key) as client:
            memory_id = leave_a_trace(client)
        first.run("-m", "ikiro.stack", "backup", "--output", str(tmp_path / "all.tar"))
    finally:
        assert running.stop(signal.SIGTERM) == 0
    second.run("-m", "ikiro.stack", "restore", str(tmp_path / "all.tar"))
    running = second.up()
    try:
        with second.client(key) as client:
            check_trace(client, memory_id)
        assert "every schema matches" in second.run("manage.py", "verify_fleet")
    finally:
        assert running.stop(signal.SIGTERM) == 0


def test_restore__one_organization_beside_others__chats_and_leaves_the_others_alone(
    installations: list[Installation], tmp_path: Path
) -> None:
    first, second = installations
    running = first.up()
    try:
        key = json.loads(first.run("manage.py", "quickstart", "--json", "--org", "acme").splitlines()[-1])["api_key"]
        with first.client(key) as client:
            memory_id = leave_a_trace(client)
        first.run("-m", "ikiro.stack", "backup", "--org", "acme", "--output", str(tmp_path / "acme.tar"))
    finally:
        assert running.stop(signal.SIGTERM) == 0
    running = second.up()
    own = json.loads(second.run("manage.py", "quickstart", "--json").splitlines()[-1])["api_key"]
    assert running.stop(signal.SIGTERM) == 0
    second.run("-m", "ikiro.stack", "restore", str(tmp_path / "acme.tar"))
    running = second.up()
    try:
        with second.client(key) as client:
            check_trace(client, memory_id)
            assert client.get("/v1/me").json()["organization"]["slug"] == "acme"
        with second.client(own) as client:
            assert client.get("/v1/me").json()["organization"]["slug"] == "demo"
            assert client.get("/v1/memories", params={"subject_id": "restored"}).json()["data"] == []
        assert "every schema matches" in second.run("manage.py", "verify_fleet")
    finally:
        assert running.stop(signal.SIGTERM) == 0
