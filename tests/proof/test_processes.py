"""What each process of the product carries around: the API is loaded where it is served."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.harness import Gateway, Process, eventually

# The one native library that every schema of the API needs, and nothing else does.
_SCHEMAS = "_pydantic_core"


def _loaded(process: Process) -> str:
    """The files that are mapped into a process."""
    assert process.popen is not None
    return Path(f"/proc/{process.popen.pid}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which libraries a process has loaded")
def test_worker_and_scheduler__running__have_not_loaded_the_api(gateway: Gateway) -> None:
    gateway.worker.stop()  # one that has asked models has their price list, whose reader needs the library too
    gateway.worker.start()
    for process in (gateway.web, gateway.worker, gateway.scheduler):
        # All three speak to the database once they are ready.
        eventually(lambda one=process: "psycopg_binary" in _loaded(one), within=60)
    # Whoever does its first work has imported all that it will.
    with gateway.acme.client() as client:
        turn = {
            "model": "ikiro/sandbox",
            "persona_id": "brand-default",
            "subject_id": "of-processes",
            "messages": [{"role": "user", "content": "Please remember that my boat is called Ondine."}],
        }
        proposal = client.post("/v1/chat", json=turn).json()["proposedWrites"][0]["proposal_id"]
        client.post(f"/v1/proposals/{proposal}/approve", json={"undo_seconds": 1})
        eventually(lambda: client.get(f"/v1/proposals/{proposal}").json()["state"] == "executed", within=60)
    assert _SCHEMAS in _loaded(gateway.web)
    assert _SCHEMAS not in _loaded(gateway.worker)
    assert _SCHEMAS not in _loaded(gateway.scheduler)
