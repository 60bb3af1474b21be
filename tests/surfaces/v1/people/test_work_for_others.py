"""Work that a person set off and a worker does: only while they are here, and only what they may do."""

from __future__ import annotations

import secrets
from typing import Any

import httpx

from gateway.knowledge.personas.defaults import default_cartridge
from tests.factories.people import People
from tests.harness import eventually


def begun(client: httpx.Client) -> tuple[str, dict[str, Any]]:
    """A persona's run of golden prompts, begun by this person."""
    name = f"theirs-{secrets.token_hex(4)}"
    client.post("/v1/personas", json={"cartridge": {**default_cartridge("Acme"), "id": name}}).raise_for_status()
    run = client.post(f"/v1/personas/{name}/consistency-runs", json={"model": "openai/scripted"})
    return f"/v1/personas/{name}/consistency-runs/{run.raise_for_status().json()['run']['id']}", run.json()["run"]


def ended(client: httpx.Client, path: str) -> dict[str, Any]:
    return dict(eventually(lambda: (one := client.get(path).json())["state"] != "running" and one, within=60))


def test_run__of_a_person__is_made_and_recorded_for_them(people: People, upstream: Any) -> None:
    upstream.reset()
    developer = people.member("developer")
    client = people.client(developer, people.acme)
    path, run = begun(client)
    assert run["started_by"] == f"user:{developer.public_id}"
    found = ended(client, path)
    assert found["state"] == "done"
    request_id = found["replies"][0]["request_id"]
    record = eventually(lambda: (got := client.get(f"/v1/requests/{request_id}")).status_code == 200 and got, within=30)
    assert next(one for one in record.json()["decisions"] if one["stage"] == "auth")["user"] == developer.public_id
    assert people.client(people.member("owner", of=people.gateway.globex), people.globex).get(path).status_code == 404


def test_run__of_a_person_who_leaves_or_is_demoted__goes_no_further(people: People, upstream: Any) -> None:
    owner = people.client(people.member("owner"), people.acme)
    for change, code in (
        (lambda who: owner.delete(f"/v1/members/{who}"), "author_gone"),
        (lambda who: owner.patch(f"/v1/members/{who}", json={"role": "billing"}), "scope_missing"),
    ):
        upstream.reset()
        upstream.script("delay", delay_ms=2500, text="Slowly_now")
        developer = people.member("developer")
        path, _ = begun(people.client(developer, people.acme))
        upstream.wait_for(lambda calls: len(calls) == 1, 30)
        assert change(developer.public_id).status_code < 300
        found = ended(owner, path)
        assert (found["state"], found["error"]["code"], found["done"]) == ("failed", code, 1)
        assert len(upstream.calls()) == 1
    upstream.reset()
