"""Every named address × every role, another organization, and nobody: who gets in, what the answer may say, how it may
be kept. Pages are taken from the URL table, permissions from the gateway's own; a new page needs no line here."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from console import session
from console.sealing import seal
from gateway.governance.access.types import ACTIONS
from tenants.people.roles import SCOPES, Role
from tests.console.places import Firm, Place, furnished, places, session_of
from tests.factories.organizations import committed_database
from tests.harness import Gateway

__all__ = ["committed_database"]
PLACES = places()
OF_MEMBERS = [one for one in PLACES if one.needs.who == "member"]
OF_PERSONS = [one for one in PLACES if one.needs.who == "person"]
_CSRF = "a" * 32
# Each of them is about one thing that need not be there.
_MAY_BE_MISSING = {"playground-stop", "account_passkey", "account_passkey_remove"}


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> Firm:
    return furnished(gateway, "acme")


@pytest.fixture(scope="module")
def globex(gateway: Gateway, committed_database: None) -> Firm:
    """The other one: nothing of it may show on a page of acme's."""
    return furnished(gateway, "globex")


@pytest.fixture(scope="module")
def nobody(gateway: Gateway) -> Iterator[httpx.Client]:
    with _visitor(gateway, None) as client:
        yield client


def _visitor(gateway: Gateway, token: str | None) -> httpx.Client:
    cookies = {"ikiro_csrf": _CSRF}
    if token:
        cookies[session.COOKIE] = seal([token, True, {}], "session")
    headers = {"X-CSRFToken": _CSRF}
    return httpx.Client(base_url=gateway.base_url, cookies=cookies, headers=headers, timeout=30, trust_env=False)


def _open(client: httpx.Client, place: Place, firm: Firm) -> httpx.Response:
    """GET, or an empty POST where there is nothing to read."""
    return client.request("GET" if place.reads else "POST", place.path(firm.things))


def _check(answer: httpx.Response, place: Place, other: Firm) -> None:
    """What holds for every answer, whatever it is."""
    where = f"{place.name}: {answer.status_code}"
    assert answer.status_code < 500, where
    assert "HX-Request" in answer.headers["vary"], where
    assert {"private", "no-store"} & set(answer.headers["cache-control"].replace(" ", "").split(",")), where
    assert [mark for mark in other.marks if mark in answer.text] == [], where


def test_places__are_all_there() -> None:
    names = {one.name for one in PLACES}
    assert len(names) == len(PLACES)
    assert {"home", "overview", "live", "login", "account_profile", "keys", "members", "playground", "sso"} <= names
    known = {one.needs.action for one in PLACES} - {None}
    assert known <= set(ACTIONS)


@pytest.mark.parametrize("role", list(Role))
def test_organization__for_each_role__opens_what_the_gateway_allows(
    role: Role, gateway: Gateway, acme: Firm, globex: Firm
) -> None:
    wrong = []
    with _visitor(gateway, session_of(acme.member(role))) as client:
        for place in OF_MEMBERS:
            may = place.needs.action is None or ACTIONS[place.needs.action] in SCOPES[role]
            if may and not place.reads:
                continue  # what it does is tested where it belongs
            answer = _open(client, place, acme)
            _check(answer, place, globex)
            expected = {200, 204, 303} if may else {403}
            if place.name == "member-remove" and "members.remove" not in _actions(role):
                expected = {403}  # open for leaving, which is about oneself
            if answer.status_code not in expected:
                wrong.append((place.name, answer.status_code, expected))
    assert wrong == []


def _actions(role: Role) -> set[str]:
    return {action for action, scope in ACTIONS.items() if scope in SCOPES[role]}


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER])
def test_organization__navigation__names_the_pages_of_the_role_only(role: Role, gateway: Gateway, acme: Firm) -> None:
    with _visitor(gateway, session_of(acme.member(role))) as client:
        page = client.get(f"/o/{acme.slug}/").text
    for place in OF_MEMBERS:
        if place.needs.action and place.parameters == ("org",) and place.reads:
            link = f'<a href="{place.path(acme.things)}" data-chord'
            shown = link in " ".join(page.split())
            assert not shown or place.needs.action in _actions(role), place.name
    assert (f"/o/{acme.slug}/sso" in page) == (role is Role.OWNER)


def test_organization__of_somebody_else__is_not_found_anywhere(gateway: Gateway, acme: Firm, globex: Firm) -> None:
    """The same answer as for one that does not exist."""
    with _visitor(gateway, session_of(acme.owner)) as client:
        for place in OF_MEMBERS:
            answer = _open(client, place, globex)
            assert answer.status_code == 404, place.name
            hidden = [mark for mark in globex.marks if mark in answer.text and mark not in place.path(globex.things)]
            assert hidden == [], place.name
            assert "no-store" in answer.headers["cache-control"]


def test_things__of_another_organization__are_not_found_in_ones_own(gateway: Gateway, acme: Firm, globex: Firm) -> None:
    mixed = Firm(gateway, acme.ref, acme.slug, acme.owner, {**globex.things, "org": acme.slug})
    told = []
    with _visitor(gateway, session_of(acme.owner)) as client:
        for place in OF_MEMBERS:
            if not set(place.parameters) - {"org", "run_id"}:
                continue
            answer = _open(client, place, mixed)
            if answer.status_code != (303 if place.name in {"member-remove", "member-role"} else 404):
                told.append((place.name, answer.status_code))
    assert told == []
    members = globex.call("GET", "/v1/members")["data"]
    assert globex.things["user_id"] in {one["user_id"] for one in members}
    assert globex.call("GET", f"/v1/keys/{globex.things['key_id']}")["state"] == "active"
    assert globex.call("GET", f"/v1/providers/{globex.things['provider_id']}")["state"] == "active"


@pytest.mark.parametrize("place", [*OF_MEMBERS, *OF_PERSONS], ids=lambda one: one.name)
def test_place__signed_out__leads_to_sign_in_and_back(
    place: Place, nobody: httpx.Client, acme: Firm, globex: Firm
) -> None:
    answer = _open(nobody, place, acme)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={quote(place.path(acme.things))}")
    _check(answer, place, globex)


def test_public_places__for_nobody_and_somebody__answer(
    nobody: httpx.Client, gateway: Gateway, acme: Firm, globex: Firm
) -> None:
    wrong = []
    with _visitor(gateway, session_of(acme.owner)) as somebody:
        for place in PLACES:
            if place.needs.who == "anyone" and place.name not in {"logout", "kit"}:
                for client in (nobody, somebody):
                    answer = _open(client, place, acme)
                    _check(answer, place, globex)
                    if answer.status_code not in {200, 303, 400, 401, 409}:
                        wrong.append((place.name, answer.status_code))
    assert wrong == []


def test_account_places__signed_in__open(gateway: Gateway, acme: Firm, globex: Firm) -> None:
    wrong = []
    with _visitor(gateway, session_of(acme.owner)) as client:
        for place in OF_PERSONS:
            answer = _open(client, place, acme)
            _check(answer, place, globex)
            expected = {200, 303, 204} | ({404} if place.name in _MAY_BE_MISSING else set())
            expected |= {401} if place.name.endswith("_options") else set()  # asked by scripts, after a fresh proof
            if answer.status_code not in expected:
                wrong.append((place.name, answer.status_code))
    assert wrong == []
