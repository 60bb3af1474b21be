"""The environment that every process of one installation is started with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ikiro.stack.lock import InstanceLock
from ikiro.stack.places import PROJECT_ROOT, Places, resolve_places
from ikiro.stack.postgres import Postgres
from ikiro.stack.redisurls import CACHE_DB, CHANNELS_DB, STATE_DB, broker_url, with_db
from ikiro.stack.secretfiles import ensure_secret_files
from ikiro.stack.valkey import Valkey

_SETTINGS_MODULE = "ikiro.settings.local"


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation's places and servers. A server is None when the caller's environment names one of its own."""

    places: Places
    postgres: Postgres | None
    valkey: Valkey | None
    env: dict[str, str]


def describe_installation(places: Places, *, environ: Mapping[str, str], test: bool = False) -> Installation:
    """The servers to start and the environment to start everything else with. Makes secret files; starts nothing."""
    postgres = valkey = None
    database_url, redis_url = environ.get("IKIRO_DATABASE_URL", ""), environ.get("IKIRO_REDIS_URL", "")
    if not database_url:
        log = places.logs / "postgres.log"
        postgres = Postgres(data=places.postgres_data, runtime=places.runtime, log=log, test=test)
        database_url = postgres.url
    if not redis_url:
        # By itself it leaves a write to its file for later while an fsync is slow, and a kill then loses what was
        # answered. Tests kill, and cut no power.
        settings = {"appendfsync": "no"} if test else None
        log = places.logs / "valkey.log"
        valkey = Valkey(data=places.valkey_data, runtime=places.runtime, log=log, settings=settings)
        redis_url = valkey.url(STATE_DB)
    secret_files = ensure_secret_files(places.secrets)
    ours = {
        "IKIRO_STATE_DIR": str(places.state),
        "IKIRO_DATABASE_URL": database_url,
        "IKIRO_REDIS_URL": redis_url,
        "IKIRO_CACHE_URL": environ.get("IKIRO_CACHE_URL") or with_db(redis_url, CACHE_DB),
        "IKIRO_BROKER_URL": environ.get("IKIRO_BROKER_URL") or broker_url(redis_url),
        "IKIRO_CHANNELS_URL": environ.get("IKIRO_CHANNELS_URL") or with_db(redis_url, CHANNELS_DB),
        "IKIRO_EMBEDDER_SOCKET": environ.get("IKIRO_EMBEDDER_SOCKET") or str(places.embedder_socket),
        "IKIRO_DEMO_PASSWORD_FILE": str(secret_files.demo_password),
        "PYTHONPATH": _first_on_path(PROJECT_ROOT, environ.get("PYTHONPATH", "")),
    }
    # The caller may keep secrets elsewhere: as a file (…_FILE) or as a value.
    for name, path in (("SECRET_KEY", secret_files.secret_key), ("KEYRING", secret_files.keyring)):
        if not environ.get(f"IKIRO_{name}") and not environ.get(f"IKIRO_{name}_FILE"):
            ours[f"IKIRO_{name}_FILE"] = str(path)
    module = {"DJANGO_SETTINGS_MODULE": environ.get("DJANGO_SETTINGS_MODULE") or _SETTINGS_MODULE}
    return Installation(places=places, postgres=postgres, valkey=valkey, env={**environ, **module, **ours})


def fill_defaults() -> None:
    """Complete this process's environment for ``manage.py``, without starting anything.

    Where the operator names every server and secret, only the settings module is filled in and no directory is made.
    """
    named = all(
        os.environ.get(name) or os.environ.get(f"{name}_FILE")
        for name in ("IKIRO_DATABASE_URL", "IKIRO_REDIS_URL", "IKIRO_SECRET_KEY", "IKIRO_KEYRING")
    )
    if named:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", _SETTINGS_MODULE)
        return
    places = resolve_places(os.environ)
    for name, value in describe_installation(places, environ=os.environ).env.items():
        os.environ.setdefault(name, value)
    gateway = InstanceLock(places.lock).running()
    if gateway is not None and gateway.url:  # `quickstart` names the port that the gateway really has
        os.environ.setdefault("IKIRO_PUBLIC_URL", gateway.url)


def _first_on_path(directory: Path, rest: str) -> str:
    return os.pathsep.join([str(directory), *([rest] if rest else [])])
