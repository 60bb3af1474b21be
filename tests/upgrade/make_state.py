"""Makes the fixture that the next version is tested with: a life of some length in today's version, kept as an archive.

    git worktree add /tmp/landed HEAD && make -C /tmp/landed install
    .venv/bin/python -m tests.upgrade.make_state /tmp/landed tests/upgrade/$(date -I)

Run it when a version has landed, before the first migration of the next one. It starts that checkout with its own
interpreter on a new state directory, makes two organizations and a suspended third, uses what they offer, stops
cleanly and writes ``state.tar`` (what ``make backup`` of that version wrote) and ``facts.json`` (what must still be
true later). The keys and the passphrase in there belong to this throw-away installation only. What a new version can
do is added to ``live``, so that the fixture after it holds it.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.harness import eventually
from tests.upgrade import facts, people
from tests.upgrade.installation import Installation
from tests.upstream import Handle, running

PASSPHRASE = "only for the upgrade test"
# What a person would have to decide or use within hours or days keeps, so that the fixture can be used for years.
_KEPT_UNTIL = "2200-01-01T00:00:00Z"
_SECRETS = {
    "demo": ("The boathouse of the rowing club opens with the word Kingfisher.", "Kingfisher"),
    "globex": ("The boathouse of the rowing club opens with the word Nightjar.", "Nightjar"),
}
_QUESTION = "Which word opens the boathouse of the rowing club?"


def main(tree: Path, output: Path) -> None:
    """Make the fixture for the checkout at ``tree`` in the new directory ``output``."""
    with tempfile.TemporaryDirectory(prefix="ikiro-fixture-") as work, running() as upstream:
        more = {
            "IKIRO_OPENAI_BASE_URL": upstream.base_url,
            "IKIRO_OPENAI_API_KEY": "sk-upstream",
            "IKIRO_EGRESS_ALLOW": "127.0.0.1",
            "IKIRO_BACKUP_PASSPHRASE": PASSPHRASE,
        }
        old = Installation(tree, tree / ".venv/bin/python", Path(work) / "old", more)
        try:
            with old.up():
                organizations = {slug: _organization(old, slug) for slug in ("demo", "globex")}
                suspended = _organization(old, "initech")
                old.run("manage.py", "orgs", "suspend", "initech")
                for one in organizations.values():
                    with old.client(one["api_key"]) as client:
                        one.update(live(client, one))
                        one["provider"] = _provider(client, upstream)
                    one["people"] = people.live(old, one)
                _settled(old, organizations)
                _keep(old)
            described = {**_describe(old), "organizations": organizations, "suspended": suspended}
            output.mkdir(parents=True)
            archive = output.resolve() / "state.tar"
            old.run("-m", "ikiro.stack", "backup", "--output", str(archive))
            archive.chmod(0o644)
        finally:
            old.remove_sockets()
    commit = subprocess.run(["git", "-C", str(tree), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    described["made_from"] = commit.stdout.strip()
    (output / "facts.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")


def _organization(old: Installation, slug: str) -> dict[str, Any]:
    printed = json.loads(old.run("manage.py", "quickstart", "--json", "--org", slug).splitlines()[-1])
    console = printed["console"]
    return {
        "slug": slug,
        "api_key": printed["api_key"],
        "persona_id": printed["persona_id"],
        "subject_id": "ada",
        "email": console["email"],
        "password": console["password"],
        "demo_subject_id": printed["subject_id"],
    }


def live(client: httpx.Client, organization: dict[str, Any]) -> dict[str, Any]:
    """Use the product as an organization would, and say what came of it."""
    text, word = _SECRETS[organization["slug"]]
    made = _ok(
        client.post("/v1/memories", json={"subject_id": "ada", "text": text, "provenance": {"source": "fixture"}})
    )
    first = _chat(client, organization, _QUESTION)
    assert [one["factId"] for one in first["citations"]] == [made["id"]]
    executed = _propose(client, organization, "Please remember that my tortoise is called Edison.")
    assert _ok(client.post(f"/v1/proposals/{executed}/approve", json={}))["state"] == "executed"
    rejected = _propose(client, organization, "Please remember that I hate Mondays.")
    _ok(client.post(f"/v1/proposals/{rejected}/reject", json={"comment": "A mood, not a fact."}))
    pending = _propose(client, organization, "Please remember that I take my tea without milk.")
    paid = _ok(client.post("/v1/chat/completions", json=_passed_through()))
    with client.stream("POST", "/v1/chat", json={**_turn(organization, _QUESTION), "stream": True}) as stream:
        assert "message.done" in stream.read().decode()
    persona = _ok(client.post("/v1/personas", json={"cartridge": _cartridge(client)}))
    _ok(client.put("/v1/policies/overlays/organization", json={"locks": {"denied_models": ["experimental/*"]}}))
    return {
        "question": _QUESTION,
        "word": word,
        "memory_id": made["id"],
        "request_id": first["request_id"],
        "conversation_id": first.get("conversation_id"),
        "executed_proposal": executed,
        "rejected_proposal": rejected,
        "pending_proposal": pending,
        "passed_through": paid["choices"][0]["message"]["content"],
        "persona": [persona["id"], persona["version"]],
        "keys": _keys(client),
    }


def _keys(client: httpx.Client) -> dict[str, Any]:
    """A key in the grace of its rotation, one whose grace was ended, a narrow one that was refused something, and a
    revoked one."""
    rotated = _ok(client.post("/v1/keys", json={"name": "rotated", "mode": "live"}))
    renewed = _ok(client.post(f"/v1/keys/{rotated['id']}/rotate"))
    ended = _ok(client.post("/v1/keys", json={"name": "ended", "mode": "live"}))
    _ok(client.post(f"/v1/keys/{ended['id']}/rotate", json={"grace_s": 3600}))
    _ok(client.post(f"/v1/keys/{ended['id']}/end-grace"))
    narrow = _ok(client.post("/v1/keys", json={"name": "narrow", "mode": "live", "scopes": ["chat"]}))
    headers = {"authorization": f"Bearer {narrow['secret']}"}
    assert eventually(lambda: client.get("/v1/memories", headers=headers).status_code == 403)
    revoked = _ok(client.post("/v1/keys", json={"name": "revoked", "mode": "live"}))
    _ok(client.delete(f"/v1/keys/{revoked['id']}"))
    secrets = {"rotated_new": renewed, "rotated_old": rotated, "narrow": narrow, "revoked": revoked, "ended": ended}
    return {name: made["secret"] for name, made in secrets.items()}


def _provider(client: httpx.Client, upstream: Handle) -> dict[str, Any]:
    """The organization's own provider, an alias to a model of it, and a call that its sealed key was used for."""
    key = f"sk-own-{secrets.token_hex(12)}"
    house = {"name": "house", "kind": "openai", "base_url": upstream.base_url, "api_key": key}
    made = _ok(client.post("/v1/providers", json=house))
    _ok(client.put("/v1/models/aliases/best", json={"model": "house/gpt-4o-mini"}))
    _ok(client.post("/v1/chat/completions", json={**_passed_through(), "model": "best"}))
    assert upstream.calls()[-1]["headers"]["authorization"] == f"Bearer {key}"
    return {"id": made["id"], "alias": "best", "model": "house/gpt-4o-mini", "key": key}


def _turn(organization: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "model": "ikiro/sandbox",
        "persona_id": organization["persona_id"],
        "subject_id": organization["subject_id"],
        "messages": [{"role": "user", "content": text}],
    }


def _passed_through() -> dict[str, Any]:
    return {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}


def _chat(client: httpx.Client, organization: dict[str, Any], text: str) -> dict[str, Any]:
    return _ok(client.post("/v1/chat", json=_turn(organization, text)))


def _propose(client: httpx.Client, organization: dict[str, Any], text: str) -> str:
    return str(_chat(client, organization, text)["proposedWrites"][0]["proposal_id"])


def _cartridge(client: httpx.Client) -> dict[str, Any]:
    """A persona of the organization's own: the API document's example."""
    document = client.get("/v1/openapi.json").json()
    return dict(
        document["paths"]["/v1/personas"]["post"]["requestBody"]["content"]["application/json"]["example"]["cartridge"]
    )


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    return dict(answer.json()) if answer.content else {}


def _settled(old: Installation, organizations: dict[str, Any]) -> None:
    """Wait until every call is in the ledger and every audit entry sealed."""
    for one in organizations.values():
        with old.client(one["api_key"]) as client:
            eventually(lambda client=client: client.get("/v1/audit/verify").json()["unsealed"] == 0)
    with old.database() as connection:
        counts: list[object] = []

        def steady() -> bool:
            connection.rollback()
            counts.append(facts.ledger(connection, until=_now()))
            return len(counts) > 8 and all(count == counts[-1] for count in counts[-8:])

        eventually(steady, within=20, every=0.25)


def _keep(old: Installation) -> None:
    with old.database() as connection:
        connection.execute(
            "UPDATE public.tenants_api_key SET previous_valid_until = %s WHERE previous_valid_until > now()",
            [_KEPT_UNTIL],
        )
        connection.execute("UPDATE public.tenants_invitation SET expires_at = %s", [_KEPT_UNTIL])
        for schema in facts.schemas(connection).values():
            # The names of schemas are the product's own.
            connection.execute(f"UPDATE {schema}.proposal SET expires_at = %s WHERE state = 'pending'", [_KEPT_UNTIL])  # type: ignore[arg-type]


def _describe(old: Installation) -> dict[str, Any]:
    stopped_at = _now()
    with old.database() as connection:
        return {
            "passphrase": PASSPHRASE,
            "stopped_at": stopped_at,
            # What `up` noted beside the data: with it, `up` takes this state for prepared if no migration was added.
            "prepared": (old.places.postgres_data / "ikiro.prepared").read_text(encoding="ascii"),
            "ledger": facts.ledger(connection, until=stopped_at),
            "roll_up": facts.roll_up(connection, day=stopped_at[:10]),
            "chains": facts.chains(connection),
            "migrations": facts.migrations(connection),
        }


def _now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
