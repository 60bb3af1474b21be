"""PostgreSQL and Valkey as compose.yaml starts them, from the servers that tests bring: over TCP, with passwords."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from ikiro.stack.binaries import postgres_binaries, valkey_server
from ikiro.stack.cluster import ensure_cluster
from ikiro.stack.identity import choose_identity
from ikiro.stack.postgres import Postgres
from tests.docker.tree import compose
from tests.harness import eventually, free_port


@contextlib.contextmanager
def postgres(work: Path, *, password: str) -> Iterator[int]:
    """The service ``postgres`` with the flags of its command; its port on 127.0.0.1.

    The database belongs to the role ``operator``, which is no superuser and may make roles: what a provider of managed
    PostgreSQL gives. The image's own owner may do all that and more.
    """
    port = free_port()
    flags = [part for part in compose()["services"]["postgres"]["command"] if part.startswith("-c")]
    settings = dict(flag.removeprefix("-c").split("=", 1) for flag in flags)
    data, runtime = work / "data", work / "run"
    runtime.mkdir(mode=0o700, parents=True)
    ensure_cluster(data, identity=choose_identity(data=data, binaries=postgres_binaries()), sync=False)
    with (data / "pg_hba.conf").open("a") as hba:
        hba.write("host all all 127.0.0.1/32 scram-sha-256\n")
    over_tcp = {"listen_addresses": "127.0.0.1", "port": str(port)}
    server = Postgres(data=data, runtime=runtime, log=work / "log", test=True, settings={**settings, **over_tcp})
    server.start()
    try:
        with psycopg.connect(f"postgresql://ikiro_owner@:{port}/ikiro?host={runtime}") as connection:
            connection.execute(f"CREATE ROLE operator LOGIN CREATEROLE PASSWORD '{password}'")  # type: ignore[arg-type]
            connection.execute("ALTER DATABASE ikiro OWNER TO operator")
        yield port
    finally:
        server.kill()


@contextlib.contextmanager
def valkey(work: Path, *, secrets: Path) -> Iterator[int]:
    """The service ``valkey`` by its own command; its port on 127.0.0.1."""
    port = free_port()
    _, *arguments = compose()["services"]["valkey"]["command"]
    arguments = [argument.replace("/run/secrets", str(secrets)) for argument in arguments]
    work.mkdir()
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(work)]
    with (work / "log").open("wb") as log:
        process = subprocess.Popen([str(valkey_server()), *arguments, *where], stdout=log, stderr=log)
    try:
        eventually(lambda: healthy(port), within=10)
        yield port
    finally:
        process.kill()
        process.wait(10)


def healthy(port: int) -> bool:
    """What the service's health check asks, as the user that it names and without a secret."""
    check = compose()["services"]["valkey"]["healthcheck"]["test"][1]
    named = re.search(r"--user (\S+) --pass (\S+) ping", check)
    assert named is not None
    try:
        return bool(redis.Redis(port=port, username=named[1], password=named[2]).ping())
    except redis.ConnectionError:
        return False
