"""The worker dies between two golden prompts: the next one goes on where it stopped, and pays for one answer twice at
most."""

from __future__ import annotations

import secrets

from gateway.knowledge.personas.defaults import default_cartridge
from tests.harness import Gateway, eventually
from tests.tenancy.test_worker_kill import locked

PROMPTS = [{"name": f"No. {number}", "prompt": f"What is {number} and one?"} for number in range(40)]
RUNS = "persona_consistency_run"


def test_worker__killed_between_golden_prompts__goes_on_where_it_stopped(edge: Gateway) -> None:
    psql = edge.stack.postgres.psql
    schema = psql("SELECT schema_name FROM tenants_organization WHERE slug = 'acme'").strip()
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'ikiro-worker'"
    )
    name = f"killed-{secrets.token_hex(4)}"
    with edge.acme.client() as client:
        client.post("/v1/personas", json={"cartridge": {**default_cartridge("Acme"), "id": name}}).raise_for_status()
        wanted = {"prompts": PROMPTS, "model": "ikiro/sandbox"}
        client.put(f"/v1/personas/{name}/golden-prompts", json=wanted).raise_for_status()
        run = client.post(f"/v1/personas/{name}/consistency-runs").raise_for_status().json()["run"]
        path = f"/v1/personas/{name}/consistency-runs/{run['id']}"
        eventually(lambda: client.get(path).json()["done"] >= 1, within=30)
        with locked(edge, f'"{schema}".{RUNS}'):
            eventually(lambda: int(psql(waiting)) >= 1, within=30)
            edge.worker.kill()
        stood = eventually(lambda: (one := client.get(path).json()) and one, within=30)
        assert (stood["state"], 1 <= stood["done"] < len(PROMPTS)) == ("running", True)
        # A minute passes, after which nobody takes the dead worker's lease for a living one's.
        aged = "heartbeat_at = heartbeat_at - interval '2 minutes'"
        psql(f"UPDATE \"{schema}\".operation SET {aged} WHERE state = 'running'")
        edge.worker.start()
        done = eventually(lambda: (one := client.get(path).json())["state"] == "done" and one, within=60)
        assert [one["name"] for one in done["replies"]] == [one["name"] for one in PROMPTS]
        assert len({one["request_id"] for one in done["replies"]}) == len(PROMPTS)

        def counted() -> list[dict[str, object]] | None:
            shown = client.get("/v1/requests", params={"q": f"persona:{name}", "limit": 100}).json()["data"]
            return shown if len(shown) >= len(PROMPTS) else None

        assert len(eventually(counted, within=30)) in (len(PROMPTS), len(PROMPTS) + 1)
    with edge.globex.client() as other:
        assert other.get(path).status_code == 404
