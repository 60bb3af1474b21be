"""TLS: the name is verified although the connection goes to a pinned address, and an unknown issuer is refused."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.core import egress
from gateway.core.egress import pool
from tests.core.egress_support import QUICK, ensure_settings

ensure_settings()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for ``provider.example``: (file of the certificate, file of the key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("provider.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


async def call(host: str, certificate, monkeypatch) -> tuple[int, bytes, list[str]]:
    """Call https://HOST while HOST resolves to a local TLS server. Returns status, body and the names the server was
    asked for.
    """
    names: list[str] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _, name, __: names.append(name)

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()
            await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    genuine = loop.getaddrinfo

    async def lookup(name, port, **more):
        if name == host:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
        return await genuine(name, port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://{host}:{server.sockets[0].getsockname()[1]}/"
    try:
        async with egress.open("GET", url, {}, trusted=True, timeouts=QUICK) as response:
            return response.status, await response.read(), names
    finally:
        server.close()
        await egress.close_pool()
        await asyncio.sleep(0.05)


def trust(certificate, monkeypatch):
    context = ssl.create_default_context(cafile=str(certificate[0]))
    monkeypatch.setattr(pool, "tls_context", lambda: context)


def test_tls__pinned_address_with_the_right_name__is_verified_by_name(certificate, monkeypatch):
    trust(certificate, monkeypatch)
    assert asyncio.run(call("provider.example", certificate, monkeypatch)) == (200, b"ok", ["provider.example"])


def test_tls__certificate_of_another_name__is_refused(certificate, monkeypatch):
    trust(certificate, monkeypatch)
    with pytest.raises(egress.ConnectFailed, match="not who it claims to be"):
        asyncio.run(call("other.example", certificate, monkeypatch))


def test_tls__unknown_issuer__is_refused(certificate, monkeypatch):
    with pytest.raises(egress.ConnectFailed, match="not who it claims to be"):
        asyncio.run(call("provider.example", certificate, monkeypatch))
