"""Half a minute without the store and two minutes without the database, under load: known keys go on, nothing is lost
or counted twice, and everything heals by itself. Takes minutes (``make prove``)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tenants import tokens
from tests.console.auth.support import Visitor, fresh_client
from tests.harness import Org, eventually
from tests.proof.load import Answer, Load, figures
from tests.proof.site import LEASE_TTL_S, SHARE, WEB_PROCESSES, Site, healed_s

pytestmark = [pytest.mark.long, pytest.mark.outage, pytest.mark.timeout(600)]

STALLED_S, STOPPED_S = 30.0, 120.0
# Long enough for each worker to have something in hand for every key.
WARM_S = 8.0
HEALED_WITHIN_S = 15.0
# Micro-dollars a month: of the first a worker's share is used up within seconds, the second lasts for the whole test.
BUDGET, ENOUGH = 2_000_000, 20_000_000
Keys = dict[str, tuple[Org, dict[str, Any]]]
Say = Callable[[str], None]


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Leases live as long as in production, or for as many seconds as the test is parametrized with."""
    made = Site(tmp_path_factory.mktemp("site"), lease_ttl_s=getattr(request, "param", LEASE_TTL_S))
    yield made
    made.remove()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print a figure: whoever proves wants to see them."""

    def print_it(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="", flush=True)

    return print_it


# How the ledger calls them (ledger.types.State).
ESTIMATED, CORRECTION = 2, 3


def keys_of(site: Site, budget: int) -> Keys:
    """Of either organization a key without a hard budget and one under it (micro-dollars)."""
    kinds = {"free": None, "hard": budget}
    return {
        f"{kind} {org.slug}": (org, site.key(org, hard_micros=micros))
        for org in site.orgs
        for kind, micros in kinds.items()
    }


def load(site: Site, keys: Keys) -> Load:
    return Load(site.callers({name: key for name, (_, key) in keys.items()}))


def settled_once(site: Site, keys: Keys, calls: int, answers: list[Answer]) -> None:
    """Every call that the provider counted is one entry, every answered one among them; sums are the budgets'. A call
    that was settled while the store stood still, and whose lease ran out in it, is an estimate and its correction."""
    rows = {name: site.entries(key) for name, (_, key) in keys.items()}
    every = [(request, state) for found in rows.values() for request, state, _ in found]
    requests = [request for request, state in every if state != CORRECTION]
    states = Counter(state for found in rows.values() for _, state, _ in found)
    assert len(requests) == calls, (len(requests), calls, states)
    assert len(set(requests)) == len(requests)
    estimated, corrected = ({request for request, state in every if state == kind} for kind in (ESTIMATED, CORRECTION))
    assert estimated == corrected, "an estimate stayed although its call was settled"
    assert not estimated or site.lease_ttl_s < STALLED_S
    for name, (org, key) in keys.items():
        mine = {request for request, _, _ in rows[name]}
        assert {one.request_id for one in answers if one.who.startswith(name) and one.status == 200} == mine
        if name.startswith("hard"):
            charged = sum(cost for _, _, cost in rows[name])
            assert site.spent(org, key) == charged
    assert site.unwritten() == {"streams": 0, "dead": 0, "journals": 0}
    assert site.open_leases() == 0


def everything_settled(site: Site, keys: Keys, calls: int, answers: list[Answer]) -> bool:
    settled_once(site, keys, calls, answers)
    return True


# The second: what workers hold and have in hand has long run out in the store when it goes on.
@pytest.mark.parametrize("site", [LEASE_TTL_S, 5], indirect=True, ids=["leases_outlive_it", "leases_do_not"])
def test_store_stalled_30_s__under_load__no_error_without_a_hard_budget_and_each_call_settled_once(
    site: Site, say: Say
) -> None:
    before, keys = site.calls(), keys_of(site, BUDGET)
    with load(site, keys) as run:
        time.sleep(WARM_S)
        begun = time.monotonic() - WARM_S
        site.stack.valkey.pause()
        stalled = time.monotonic()
        time.sleep(STALLED_S)
        site.stack.valkey.resume()
        over = time.monotonic()
        healed = {
            name: healed_s(over, lambda name=name: _ok_since(run, name, over), within=HEALED_WITHIN_S) for name in keys
        }
        time.sleep(5)
        end = time.monotonic()
    calls = site.calls() - before
    for kind in ("free", "hard"):
        say(f"{kind} before: {figures(run.between(begun, stalled, kind))}")
        say(f"{kind} stalled: {figures(run.between(stalled, over, kind))}")
        say(f"{kind} after: {figures(run.between(over, end, kind))}")
    say(f"answered again after the stall: {', '.join(f'{name} {took:.1f} s' for name, took in healed.items())}")

    assert {one.status for one in run.between(0, end + 60, "free")} == {200}
    # What was asked of a stalled store was decided by a worker alone; a moment before its end it may have answered.
    alone = run.between(stalled, over - 1)
    settled = time.monotonic()
    eventually(lambda: everything_settled(site, keys, calls, run.answers), within=90, every=1)
    say(f"{calls} calls, {calls} entries {time.monotonic() - settled:.1f} s after the last answer")
    for name, (_, key) in keys.items():
        mine = [one for one in alone if one.who.startswith(name)]
        assert sum(one.status == 200 for one in mine) > WEB_PROCESSES
        if name.startswith("hard"):
            charged = {request: cost for request, _, cost in site.entries(key)}
            spent = sum(charged[one.request_id] for one in mine if one.status == 200)
            say(f"{name} spent {spent} of at most {WEB_PROCESSES * BUDGET // SHARE} micro-dollars in hand")
            assert 0 < spent <= WEB_PROCESSES * BUDGET // SHARE
            refused = [one for one in mine if one.status != 200]
            assert {(one.status, one.code) for one in refused} == {(503, "store_unavailable")}
            assert all(int(one.retry_after) >= 1 for one in refused)
            # Used up long before the end, and then no more than what cheap calls gave back.
            late = [one for one in mine if one.at > stalled + STALLED_S / 2]
            assert sum(one.status == 503 for one in late) > len(late) / 2


def test_database_stopped_2_min__under_load__known_keys_served_others_503_and_heals(site: Site, say: Say) -> None:
    before, acme = site.calls(), site.product.acme
    keys = keys_of(site, ENOUGH)
    with closing(_signed_in(acme)) as visitor, load(site, keys) as run, acme.client() as client:
        time.sleep(WARM_S)
        begun = time.monotonic() - WARM_S
        site.stack.postgres.stop()
        stopped = time.monotonic()
        # A process that starts now never knew a key.
        fresh = site.another()
        try:
            refused = _refusals_until(stopped + STOPPED_S, site, client, visitor, fresh.port)
        finally:
            site.stack.postgres.start()
        over = time.monotonic()
        healed = {
            name: _healed(over, ask) for name, ask in _asked_afterwards(site, client, visitor, fresh.port).items()
        }
        time.sleep(5)
        end = time.monotonic()
    calls = site.calls() - before
    say(f"before: {figures(run.between(begun, stopped))}")
    say(f"stopped: {figures(run.between(stopped, over))}")
    say(f"after: {figures(run.between(over, end))}")
    for name, took in refused.items():
        say(f"503 {len(took)} times, longest {max(took) * 1000:.0f} ms: {name}")
    say(f"healed: {', '.join(f'{name} {took:.1f} s' for name, took in healed.items())}")

    assert {one.status for one in run.answers} == {200}
    settled = time.monotonic()
    eventually(lambda: everything_settled(site, keys, calls, run.answers), within=90, every=1)
    say(f"{calls} calls, {calls} entries {time.monotonic() - settled:.1f} s after the last answer")
    assert _executed_after(acme)


def _ok_since(run: Load, who: str, since: float) -> bool:
    """Whether a caller was answered what it asked after that moment."""
    return any(one.status == 200 for one in run.between(since, time.monotonic(), who))


def _signed_in(org: Org) -> Visitor:
    """The organization's owner in the console."""
    visitor = Visitor(None, fresh_client(org.base_url), org.email, org.password)
    visitor.sign_in()
    assert visitor.get(f"/o/{org.slug}/keys").status == 200, visitor.page.text[:400]
    return visitor


def _asked(site: Site, client: httpx.Client, visitor: Visitor, fresh: int) -> dict[str, Callable[[], httpx.Response]]:
    """What needs the database: by the name of who asks."""
    chat = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "long-stall",
            "messages": [{"role": "user", "content": "Hello."}]}  # fmt: skip
    asked: dict[str, Callable[[], httpx.Response]] = {
        "a key that nobody has seen": lambda: _complete(site.ports[0], tokens.new_secret("live", tokens.new_public())),
        "a known key at a process just started": lambda: _complete(fresh, client.headers["authorization"][7:]),
        "GET /v1/personas": lambda: client.get("/v1/personas"),
        "POST /v1/keys": lambda: client.post("/v1/keys", json={"name": "made while the database was away"}),
        "POST /v1/chat": lambda: client.post("/v1/chat", json=chat),
        "a console page": lambda: visitor.client.get("/o/acme/keys"),
        "sign-in": lambda: _sign_in(site),
    }
    return asked


def _refusals_until(
    deadline: float, site: Site, client: httpx.Client, visitor: Visitor, fresh: int
) -> dict[str, list[float]]:
    """Ask all of it again and again: each is 503 with the reason and Retry-After. The seconds that the answers took."""
    took: dict[str, list[float]] = {}
    eventually(lambda: site.get(fresh, "/healthz").status_code == 200, within=60)
    while time.monotonic() < deadline:
        for name, ask in _asked(site, client, visitor, fresh).items():
            asked = time.monotonic()
            answer = ask()
            took.setdefault(name, []).append(time.monotonic() - asked)
            assert answer.status_code == 503, (name, answer.status_code, answer.text[:400])
            assert int(answer.headers["retry-after"]) >= 1, name
            assert "database_unavailable" in answer.text, (name, answer.text[:400])
        for port in (*site.ports, fresh):
            assert site.get(port, "/healthz").status_code == 200
            unready = site.get(port, "/readyz")
            assert (unready.status_code, "database" in unready.json()["checks"]) == (503, True)
        time.sleep(1)
    return took


def _asked_afterwards(site: Site, client: httpx.Client, visitor: Visitor, fresh: int) -> dict[str, Callable[[], bool]]:
    """The same once the database is back, and what each is answered then."""
    right = {"a key that nobody has seen": 401, "POST /v1/keys": 201}
    asked = _asked(site, client, visitor, fresh)
    return {
        **{name: lambda n=name, ask=ask: ask().status_code == right.get(n, 200) for name, ask in asked.items()},
        "readiness": lambda: all(site.get(port, "/readyz").status_code == 200 for port in (*site.ports, fresh)),
    }


def _healed(since: float, check: Callable[[], bool]) -> float:
    return healed_s(since, check, within=HEALED_WITHIN_S)


def _complete(port: int, secret: str) -> httpx.Response:
    body = {"model": "ikiro/sandbox", "messages": [{"role": "user", "content": "Hello."}]}
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers, timeout=30)


def _sign_in(site: Site) -> httpx.Response:
    facts = {"email": site.product.globex.email, "password": site.product.globex.password}
    return httpx.post(f"{site.product.base_url}/_allauth/app/v1/auth/login", json=facts, timeout=30)


def _executed_after(org: Org) -> bool:
    """Whether worker and scheduler do their part again: an approved proposal becomes a memory."""
    turn = {"model": "ikiro/sandbox", "persona_id": "brand-default", "subject_id": "after-the-stall",
            "messages": [{"role": "user", "content": "Please remember that my boat is called Ondine."}]}  # fmt: skip
    with org.client() as client:
        proposal = client.post("/v1/chat", json=turn).json()["proposedWrites"][0]["proposal_id"]
        assert client.post(f"/v1/proposals/{proposal}/approve", json={}).status_code == 200
        return eventually(
            lambda: client.get(f"/v1/proposals/{proposal}").json()["state"] == "executed", within=60, every=0.5
        )
