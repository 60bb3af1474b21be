"""A state directory that an older version left starts under this one: its schemas are migrated by the start itself, and
everything that was true still is.

The archive was written by the older version's `make backup`. Restoring it runs no migration, so what `up` finds is the
older version's state. Each directory beside this file is one older version; README.md says how to make the next.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tenants.provisioning.graph import names
from tests.architecture.tree import ROOT
from tests.harness import eventually
from tests.upgrade import facts, people
from tests.upgrade.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
_FIXTURES = sorted(path.parent for path in Path(__file__).parent.glob("*/facts.json"))


@dataclass(frozen=True)
class Upgraded:
    """The older version's state under this version, running; ``before`` is what was found before the start."""

    installation: Installation
    known: dict[str, Any]
    before: dict[str, list[str]]

    def client(self, slug: str) -> httpx.Client:
        return self.installation.client(self.known["organizations"][slug]["api_key"])

    def turn(self, slug: str, text: str) -> dict[str, Any]:
        organization = self.known["organizations"][slug]
        return {
            "model": "ikiro/sandbox",
            "persona_id": organization["persona_id"],
            "subject_id": organization["subject_id"],
            "messages": [{"role": "user", "content": text}],
        }


@pytest.fixture(scope="module", params=_FIXTURES, ids=lambda path: path.name)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    known = json.loads((request.param / "facts.json").read_text())
    passphrase = {"IKIRO_BACKUP_PASSPHRASE": known["passphrase"]}
    installation = Installation(ROOT, Path(sys.executable), tmp_path_factory.mktemp("upgrade"), passphrase)
    try:
        installation.run("-m", "ikiro.stack", "restore", str(request.param / "state.tar"))
        with installation.database() as connection:
            before = facts.migrations(connection)
        (installation.places.postgres_data / "ikiro.prepared").write_text(known["prepared"], encoding="ascii")
        with installation.up():
            yield Upgraded(installation, known, before)
    finally:
        installation.remove_sockets()


@pytest.fixture(params=["demo", "globex"])
def slug(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def other(slug: str) -> str:
    return {"demo": "globex", "globex": "demo"}[slug]


def test_upgrade__state_of_an_older_version__is_migrated_by_the_start(upgraded: Upgraded) -> None:
    assert upgraded.before == upgraded.known["migrations"]
    with upgraded.installation.database() as connection:
        after = facts.migrations(connection)
    assert after.keys() == upgraded.before.keys()
    assert set(names()["shared"]) <= set(after["public"])
    for organization in ("demo", "globex", "initech"):
        assert set(names()["tenant"]) <= set(after[organization])
    assert "every schema matches" in upgraded.installation.run("manage.py", "verify_fleet")


def test_upgrade__money_and_history_of_before__are_unchanged(upgraded: Upgraded, slug: str) -> None:
    known = upgraded.known
    with upgraded.installation.database() as connection:
        ledger = facts.ledger(connection, until=known["stopped_at"])
        chains = facts.chains(connection, most={name: last for name, (last, _) in known["chains"].items()})
    assert ledger[slug] == known["ledger"][slug]
    assert chains[slug] == known["chains"][slug]
    with upgraded.client(slug) as client:
        verified = eventually(lambda: (found := client.get("/v1/audit/verify").json())["unsealed"] == 0 and found)
        assert verified["ok"] is True
        assert verified["sealed"] >= known["chains"][slug][0]


def test_upgrade__usage_of_before__is_added_up_from_the_ledger(upgraded: Upgraded, slug: str) -> None:
    later = "2100-01-01"

    def agree() -> bool:
        with upgraded.installation.database() as connection:
            entries, sums = facts.ledger(connection, until=later), facts.hourly(connection, until=later)
        return sums[slug] == entries[slug][1:]

    assert eventually(agree, within=60)
    with upgraded.client(slug) as client:
        day = upgraded.known["stopped_at"][:10]
        totals = client.get("/v1/usage", params={"from": "2026-01-01"}).json()["totals"]
        groups = client.get("/v1/usage", params={"from": "2026-01-01", "group_by": "day"}).json()["data"]
    assert totals["calls"] >= upgraded.known["ledger"][slug][1]
    assert day in {group["day"] for group in groups}


def test_upgrade__keys_of_before__open_what_they_opened(upgraded: Upgraded, slug: str) -> None:
    keys = upgraded.known["organizations"][slug]["keys"]
    with upgraded.client(slug) as client:
        assert client.get("/v1/me").json()["organization"]["slug"] == slug

        def answered(name: str, path: str) -> tuple[int, str | None]:
            answer = client.get(path, headers={"authorization": f"Bearer {keys[name]}"})
            return answer.status_code, answer.json().get("code")

        assert answered("rotated_new", "/v1/memories") == (200, None)
        assert answered("rotated_old", "/v1/memories") == (200, None)
        assert answered("narrow", "/v1/memories") == (403, "scope_missing")
        assert answered("revoked", "/v1/memories") == (401, "key_revoked")
        if "ended" in keys:
            assert answered("ended", "/v1/memories") == (401, "key_expired")
        headers = {"authorization": f"Bearer {keys['narrow']}"}
        assert client.post("/v1/chat", json=upgraded.turn(slug, "Hello."), headers=headers).status_code == 200


def test_upgrade__a_suspended_organization__stays_suspended(upgraded: Upgraded) -> None:
    with upgraded.installation.client(upgraded.known["suspended"]["api_key"]) as client:
        answer = client.get("/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "org_suspended")


def test_upgrade__chat__cites_the_memory_of_before_and_nobody_elses(upgraded: Upgraded, slug: str) -> None:
    known = upgraded.known["organizations"]
    with upgraded.client(slug) as client:
        answer = client.post("/v1/chat", json=upgraded.turn(slug, known[slug]["question"]))
        assert answer.status_code == 200, answer.text
        said = answer.json()["choices"][0]["message"]["content"]
        assert known[slug]["word"] in said
        assert known[other(slug)]["word"] not in said
        assert [one["factId"] for one in answer.json()["citations"]] == [known[slug]["memory_id"]]
        strange = client.get(f"/v1/memories/{known[other(slug)]['memory_id']}")
        assert (strange.status_code, strange.json()["code"]) == (404, "memory_not_found")
        assert client.get(f"/v1/requests/{known[slug]['request_id']}").json()["state"] == "settled"
        persona_id, version = known[slug]["persona"]
        assert client.get(f"/v1/personas/{persona_id}").json()["version"] == version


def test_upgrade__proposals_of_before__keep_their_state_and_can_be_approved(upgraded: Upgraded, slug: str) -> None:
    known = upgraded.known["organizations"][slug]
    stranger = upgraded.known["organizations"][other(slug)]["pending_proposal"]
    with upgraded.client(slug) as client:

        def state(proposal: str) -> str:
            return str(client.get(f"/v1/proposals/{proposal}").json()["state"])

        assert state(known["executed_proposal"]) == "executed"
        assert state(known["rejected_proposal"]) == "rejected"
        assert state(known["pending_proposal"]) == "pending"
        assert client.post(f"/v1/proposals/{stranger}/approve", json={}).status_code == 404
        approved = client.post(f"/v1/proposals/{known['pending_proposal']}/approve", json={})
        assert (approved.status_code, approved.json()["state"]) == (200, "executed")
        tea = client.post("/v1/chat", json=upgraded.turn(slug, "How do I take my tea?")).json()
        assert "without milk" in tea["choices"][0]["message"]["content"]


def test_upgrade__the_owner_of_before__signs_in_and_acts_for_the_own_organization_alone(
    upgraded: Upgraded, slug: str
) -> None:
    known = upgraded.known["organizations"]
    with httpx.Client(base_url=f"http://127.0.0.1:{upgraded.installation.port}", timeout=30) as client:
        sign_in = {"email": known[slug]["email"], "password": known[slug]["password"]}
        signed_in = client.post("/_allauth/app/v1/auth/login", json=sign_in)
        assert signed_in.status_code == 200, signed_in.text
        session = {"x-session-token": signed_in.json()["meta"]["session_token"]}
        strange = client.post("/v1/auth/token", json={"organization": other(slug)}, headers=session)
        assert (strange.status_code, strange.json()["code"]) == (404, "organization_not_found")
        token = client.post("/v1/auth/token", json={"organization": slug}, headers=session)
        assert token.status_code == 200, token.text
        person = {"authorization": f"Bearer {token.json()['token']}"}
        me = client.get("/v1/me", headers=person).json()
        assert (me["organization"]["slug"], me["user"]["email"], me["role"]) == (slug, known[slug]["email"], "owner")
        wrong = client.post("/_allauth/app/v1/auth/login", json={**sign_in, "password": "not the password"})
        assert wrong.status_code == 400


def test_upgrade__people_of_before__belong_where_they_did_and_an_invitation_still_waits(
    upgraded: Upgraded, slug: str
) -> None:
    known = _known(upgraded, slug, "people")
    member, invitation = known["member"], known["invitation"]
    with httpx.Client(base_url=f"http://127.0.0.1:{upgraded.installation.port}", timeout=30) as client:
        headers = people.token_of(client, member["email"], member["password"], slug)
        me = client.get("/v1/me", headers=headers).json()
        assert (me["organization"]["slug"], me["user"]["email"], me["role"]) == (slug, member["email"], member["role"])
        mine = client.get(f"/v1/keys/{known['key']['id']}", headers=headers).json()
        assert (mine["owner"]["email"], mine["scopes"]) == (member["email"], ["chat"])
        assert {mine[name] for name in ("models", "origins", "ip_ranges", "rate", "budget", "cache_s")} == {None}
        waiting = client.get(f"/v1/invitations/by-token/{invitation['token']}").json()
        assert (waiting["email"], waiting["role"], waiting["state"], waiting["organization"]["slug"]) == (
            invitation["email"], invitation["role"], "pending", slug,
        )  # fmt: skip
    with upgraded.client(other(slug)) as stranger:
        assert stranger.get(f"/v1/keys/{known['key']['id']}").status_code == 404
        assert member["email"] not in stranger.get("/v1/members").text


def test_upgrade__a_provider_of_before__keeps_its_alias_and_its_sealed_key(upgraded: Upgraded, slug: str) -> None:
    known = _known(upgraded, slug, "provider")
    with upgraded.client(slug) as client:
        shown = client.get(f"/v1/providers/{known['id']}")
        assert (shown.json()["name"], shown.json()["state"]) == ("house", "active")
        assert known["key"] not in shown.text
        assert client.get(f"/v1/models/aliases/{known['alias']}").json()["model"] == known["model"]
        # Its address is a closed port of the machine that made the fixture. Getting as far as being refused that
        # address means that the key was read; one that cannot be read is `credential_unreadable`.
        asked = {"model": known["alias"], "messages": [{"role": "user", "content": "Say hello."}]}
        answer = client.post("/v1/chat/completions", json=asked)
        assert answer.json()["error"]["code"] == "egress_refused", answer.text
    with upgraded.client(other(slug)) as stranger:
        assert stranger.get(f"/v1/providers/{known['id']}").status_code == 404


def _known(upgraded: Upgraded, slug: str, name: str) -> dict[str, Any]:
    """What an older fixture does not hold is not asked of it."""
    found = upgraded.known["organizations"][slug].get(name)
    if found is None:
        pytest.skip(f"{upgraded.known['made_from']} had no {name}")
    return dict(found)
