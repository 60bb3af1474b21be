"""A stack of their own with the ledger's tables, reached as each of the three database roles."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from ikiro.stack.testing import TestStack
from tests.platform.support import ensure_django

ensure_django()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    with TestStack(tmp_path_factory.mktemp("ledger") / "state", durable=True) as stack:
        yield stack


def connect(stack: TestStack, alias: str, role: str | None) -> DatabaseWrapper:
    url = urlsplit(stack.env["IKIRO_DATABASE_URL"])
    options = {"assume_role": role} if role else {}
    return DatabaseWrapper(
        {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.strip("/"),
            "USER": url.username,
            "PASSWORD": "",
            "HOST": parse_qs(url.query)["host"][0],
            "PORT": "",
            "OPTIONS": options,
            "TIME_ZONE": None,
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": False,
            "AUTOCOMMIT": True,
            "ATOMIC_REQUESTS": False,
        },
        alias=alias,
    )


@pytest.fixture(scope="package")
def migrated(stack: TestStack, django_db_blocker: Any) -> None:
    names = ("0001_initial", "0002_person_of_an_entry", "0003_usage_roll_ups")
    migrations = [importlib.import_module(f"gateway.platform.ledger.migrations.{name}").Migration for name in names]
    owner = connect(stack, "owner", None)
    with django_db_blocker.unblock(), owner.cursor() as cursor:
        for operation in (one for migration in migrations for one in migration.operations):
            cursor.execute(operation.sql)
    owner.close()


@pytest.fixture
def databases(stack: TestStack, migrated: None, django_db_blocker: Any) -> Iterator[dict[str, DatabaseWrapper]]:
    """``default`` reads as the request role, ``batch`` writes, ``owner`` owns. Committed for real; emptied before."""
    aliases = {"default": "ikiro_app", "batch": "ikiro_batch", "owner": None}
    held = {alias: getattr(connections._connections, alias, None) for alias in aliases}
    mine = {alias: connect(stack, alias, role) for alias, role in aliases.items()}
    with django_db_blocker.unblock():
        for alias, wrapper in mine.items():
            connections[alias] = wrapper
        with mine["owner"].cursor() as cursor:
            cursor.execute(
                "TRUNCATE public.ledger_entry, public.ledger_daily, public.ledger_hourly,"
                " public.ledger_subject_daily, public.ledger_rollup_due"
            )
        yield mine
        for alias, wrapper in mine.items():
            wrapper.close()
            del connections[alias]
            if held[alias] is not None:
                connections[alias] = held[alias]


@pytest.fixture
def url(stack: TestStack) -> str:
    from gateway.core.valkey import sync_client

    url = stack.env["IKIRO_REDIS_URL"]
    with sync_client(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    from gateway.core.valkey import sync_client

    with sync_client(url) as client:
        yield client
