"""What the one way out refuses, and that it connects to what it checked."""

from __future__ import annotations

import asyncio
import socket

import pytest
from django.conf import settings

from gateway.core import egress
from gateway.core.egress.addresses import parse_address, parse_allowance, why_denied
from gateway.core.egress.resolve import Resolver
from tests.core.egress_support import OK, answering, fetch, serving

DENIED = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1
    64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:2::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1
    3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 4000::1
""".split()  # noqa: SIM905  (a list of addresses reads best as addresses)


@pytest.mark.parametrize("address", DENIED)
def test_address__special_purpose__is_denied_with_a_reason(address):
    assert why_denied(parse_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_address__public__is_let_through(address):
    assert why_denied(parse_address(address)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/", "http://[::1]:9/", "http://[::ffff:127.0.0.1]:9/", "http://2130706433:9/", "http://0x7f000001:9/",
        "http://127.1:9/", "http://localhost:9/", "http://localhost.:9/", "http://169.254.169.254/latest/meta-data/",
    ],
)  # fmt: skip
def test_open__guarded_call_to_the_inside__is_refused_before_any_connection(url):
    with pytest.raises(egress.EgressRefused) as caught:
        asyncio.run(fetch(url, trusted=False))
    assert (caught.value.code, caught.value.http_status) == ("egress_refused", 502)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://user:pw@example.com/",
        "http://",
        "http://exa mple.com/",
        "http://a:0/",
        "http://a:99999/",
        "http://exämple.com/",
        "http://example.com/\r\nx: y",
        "http://[fe80::1%25eth0]/",
        "gopher://x",
        "//x/",
        "http://127.0.0.1\t/",
        "http://a_b..c/",
        "http://-a.com/",
    ],
)
def test_open__odd_address__is_refused(url):
    with pytest.raises(egress.EgressRefused):
        egress.open("GET", url, {}, trusted=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"x": "a\r\nb: c"},
        {"x y": "1"},
        {"x": "é€"},
    ],
)
def test_open__headers_that_would_reframe_the_request__are_refused(headers):
    with pytest.raises(egress.EgressRefused):
        egress.open("POST", "http://example.com/", headers, b"x", trusted=True)


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1/32"])
def test_open__address_on_the_allow_list__is_called(monkeypatch, allow):
    monkeypatch.setattr(settings, "IKIRO_EGRESS_ALLOW", allow.split(","))

    async def scene():
        async with serving(answering(OK)) as (root, seen):
            return await fetch(root, trusted=False), seen

    assert asyncio.run(scene()) == ((200, b"ok"), {"connections": 1, "requests": 1})


def test_open__host_on_the_allow_list__is_called_by_name_only(monkeypatch):
    monkeypatch.setattr(settings, "IKIRO_EGRESS_ALLOW", ["localhost"])

    async def scene():
        async with serving(answering(OK)) as (root, seen):
            named = root.replace("127.0.0.1", "localhost")
            first = await fetch(named, trusted=False)
            with pytest.raises(egress.EgressRefused):
                await fetch(root, trusted=False)
            return first, seen["requests"]

    assert asyncio.run(scene()) == ((200, b"ok"), 1)


def test_allowance__neither_host_nor_network__fails_at_once():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        parse_allowance("good.example, 10.0.0.0/99")
    allowance = parse_allowance("good.example,*.below.example, [fd00::1] ,")
    assert (allowance.host("good.example"), allowance.host("a.below.example"), allowance.host("below.example")) == (
        True,
        True,
        False,
    )
    assert (allowance.host("xgood.example"), allowance.address(parse_address("fd00::1"))) == (False, True)


def test_resolver__one_private_address_among_public_ones__refuses_the_name(monkeypatch):
    async def scene():
        async def lookup(host, port, **_):
            return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("8.8.8.8", "10.0.0.1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
        with pytest.raises(egress.EgressRefused, match="private"):
            await Resolver(parse_allowance([])).addresses("rebind.example", trusted=False)

    asyncio.run(scene())


def test_open__name_that_changes_its_mind__stays_pinned_to_the_checked_address(monkeypatch):
    """The check and the connection use one lookup: a second answer of the name server is never asked for."""
    monkeypatch.setattr(settings, "IKIRO_EGRESS_ALLOW", ["127.0.0.1"])

    async def scene():
        answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        asked = []

        async def lookup(host, port, **_):
            if host == "pinned.example":
                asked.append(host)
                return [(socket.AF_INET, 0, 0, "", (next(answers), 0))]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

        hosts = []

        async def handler(reader, writer, head):
            hosts.append(head.split(b"\r\n")[1])
            writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

        async with serving(handler) as (root, seen):
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
            url = root.replace("127.0.0.1", "pinned.example")
            assert [await fetch(url, trusted=False) for _ in range(2)] == [(200, b"ok")] * 2
            return len(asked), seen["requests"], set(hosts) == {b"host: " + url.removeprefix("http://").encode()}

    assert asyncio.run(scene()) == (1, 2, True)


def test_open__connection_of_a_trusted_call__is_never_given_to_a_guarded_one():
    async def scene():
        async with serving(answering(OK)) as (root, seen):
            await fetch(root, trusted=True)
            with pytest.raises(egress.EgressRefused):
                await fetch(root, trusted=False)
            return seen["requests"]

    assert asyncio.run(scene()) == 1
