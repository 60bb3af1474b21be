"""``requests`` over the one way out: the same guard, no redirects, bounded, in threads of their own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from django.test import override_settings

from gateway.core.egress import Timeouts
from gateway.core.egress.requests_adapter import EgressFailed, GuardedAdapter, guarded_session
from tests.sso import openid
from tests.sso.openid import OpenIdProvider


@pytest.fixture(scope="module")
def server() -> Iterator[OpenIdProvider]:
    with openid.serving() as provider:
        yield provider


@pytest.fixture(autouse=True)
def allowed() -> Iterator[None]:
    with override_settings(IKIRO_EGRESS_ALLOW=["127.0.0.1"]):
        yield


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://10.0.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("https://192.168.1.1/", "private"),
        ("http://[::1]/", "not global unicast"),
        ("http://user:pw@8.8.8.8/", "credentials"),
    ],
)
def test_session__sent_inside__is_refused_before_any_connection(url: str, why: str) -> None:
    with guarded_session() as session, pytest.raises(EgressFailed) as caught:
        session.get(url)
    assert caught.value.error.code == "egress_refused"
    assert why in str(caught.value)


def test_session__without_an_allowance__does_not_reach_this_machine(server: OpenIdProvider) -> None:
    server.seen.clear()
    with override_settings(IKIRO_EGRESS_ALLOW=[]), guarded_session() as session, pytest.raises(EgressFailed):
        session.get(f"{server.url}/keys")
    assert server.seen == []


def test_session__to_an_allowed_host__behaves_like_requests(server: OpenIdProvider) -> None:
    with guarded_session() as session:
        found = session.get(f"{server.url}/keys", params={"a": "b c"}, headers={"X-One": "1"})
        assert (found.status_code, found.json()["keys"][0]["kid"]) == (200, "one")
        assert found.headers["Content-Type"] == "application/json"
        refused = session.post(f"{server.url}/token", data={"code": "none"}, auth=("a", "b"))
        assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})
        with pytest.raises(requests.HTTPError):
            refused.raise_for_status()


def test_session__answered_by_a_redirect__does_not_follow(server: OpenIdProvider) -> None:
    server.is_person("")
    server.fault = "redirect"
    with guarded_session() as session, pytest.raises(EgressFailed, match="redirects are not followed"):
        session.get(f"{server.url}/anything")
    assert server.seen == ["/anything"]
    server.fault = ""


def test_session__with_proxies_around__uses_none(server: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with guarded_session() as session:
        assert session.get(f"{server.url}/keys", proxies={"http": "http://127.0.0.1:1"}).status_code == 200


def test_adapter__against_silence_and_size__gives_up(server: OpenIdProvider) -> None:
    quick = Timeouts(connect=1, first_byte=0.2, stall=0.2, total=1)
    with silent() as url, requests.Session() as session:
        session.mount("http://", GuardedAdapter(timeouts=quick))
        began = time.monotonic()
        with pytest.raises(EgressFailed) as caught:
            session.get(url)
        assert caught.value.error.code == "upstream_timeout"
        assert time.monotonic() - began < 5
        session.mount("http://", GuardedAdapter(max_body=10))
        with pytest.raises(EgressFailed) as caught:
            session.get(f"{server.url}/keys")
        assert caught.value.error.code == "upstream_error"


def test_session__in_many_threads_at_once__never_mixes_their_loops(server: OpenIdProvider) -> None:
    barrier = threading.Barrier(8)

    def call(_: int) -> int:
        barrier.wait(5)
        with guarded_session() as session:
            return sum(session.get(f"{server.url}/keys").status_code for _ in range(5))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(8))) == [1000] * 8
