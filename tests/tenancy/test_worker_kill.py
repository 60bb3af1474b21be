"""The Celery worker dies in the middle of executing a proposal: afterwards it was executed exactly once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.harness import Gateway, eventually


@contextmanager
def locked(edge: Gateway, table: str) -> Iterator[None]:
    """Hold a table so that whoever writes to it stands still in mid-transaction."""
    blocker = subprocess.Popen(
        [*edge.stack.postgres.client("psql"), "-At"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    blocker.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n")
    blocker.stdin.flush()
    while "held" not in blocker.stdout.readline():
        continue
    try:
        yield
    finally:
        blocker.communicate(timeout=10)


def test_worker__killed_in_mid_proposal__executes_it_exactly_once_afterwards(edge: Gateway) -> None:
    subject = f"kill-{uuid4().hex[:8]}"
    schema = edge.stack.postgres.psql("SELECT schema_name FROM tenants_organization WHERE slug = 'acme'").strip()
    turn = {
        "model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": subject,
        "messages": [{"role": "user", "content": "Please remember that my boat is called Ondine."}],
    }  # fmt: skip
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'ikiro-worker'"
    )
    with edge.acme.client() as client:
        proposal = client.post("/v1/chat", json=turn).json()["proposedWrites"][0]["proposal_id"]
        with locked(edge, f'"{schema}".memory'):
            approved = client.post(f"/v1/proposals/{proposal}/approve", json={"undo_seconds": 1}).json()
            assert approved["state"] == "approved"
            eventually(lambda: int(edge.stack.postgres.psql(waiting)) >= 1, within=30)
            edge.worker.kill()
        time.sleep(0.5)
        assert client.get(f"/v1/memories?subject_id={subject}").json()["data"] == []
        edge.worker.start()
        done = eventually(
            lambda: (one := client.get(f"/v1/proposals/{proposal}").json())["state"] == "executed" and one, within=60
        )
        (memory,) = client.get(f"/v1/memories?subject_id={subject}").json()["data"]
        assert "Ondine" in memory["text"]
        time.sleep(12)  # a round of the sweep later nothing has been done twice
        assert len(client.get(f"/v1/memories?subject_id={subject}").json()["data"]) == 1
        events = [one for one in client.get("/v1/events?limit=200").json()["data"] if one["subject_id"] == subject]
        assert sorted(one["type"] for one in events if one["type"].startswith(("write.", "memory."))) == [
            "memory.created", "write.approved", "write.executed",
        ]  # fmt: skip
        assert done["attempts"] >= 1
        verified = eventually(lambda: (v := client.get("/v1/audit/verify").json())["unsealed"] == 0 and v)
        assert verified["ok"] is True
    with edge.globex.client() as other:
        assert other.get(f"/v1/memories?subject_id={subject}").json()["data"] == []
