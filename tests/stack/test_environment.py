"""State directory, secrets and the environment that children get."""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path

import pytest

from ikiro.stack.environment import describe_installation, fill_defaults
from ikiro.stack.errors import StackError
from ikiro.stack.places import Places, make_places, resolve_places
from ikiro.stack.redisurls import broker_url, with_db
from ikiro.stack.secretfiles import ensure_secret_files


def test_places__made__are_private(tmp_path: Path) -> None:
    loose = tmp_path / "state"
    loose.mkdir(mode=0o755)
    made = resolve_places({"IKIRO_STATE_DIR": str(loose)})
    assert [path.stat().st_mode & 0o777 for path in (made.state, made.runtime, made.secrets, made.logs)] == [0o700] * 4
    made.runtime.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_places__runtime_directory_of_another_user__is_refused(places: Places) -> None:
    os.chown(places.runtime, 65534, 65534)
    with pytest.raises(StackError, match="belongs to another user"):
        make_places(places.state)


def test_places__runtime_path_is_a_link__is_refused(places: Places, tmp_path: Path) -> None:
    places.runtime.rmdir()
    places.runtime.symlink_to(tmp_path)
    with pytest.raises(StackError, match="is not a directory"):
        make_places(places.state)
    places.runtime.unlink()


def test_secret_files__made__have_mode_600_and_stay_the_same(places: Places) -> None:
    files = ensure_secret_files(places.secrets)
    first = {path.name: path.read_text() for path in places.secrets.iterdir()}
    assert set(first) == {"secret_key", "keyring.json", "demo_password"}
    assert {path.stat().st_mode & 0o777 for path in places.secrets.iterdir()} == {0o600}
    ring = json.loads(first["keyring.json"])
    assert len(base64.b64decode(ring["keys"][ring["active"]])) == 32
    assert len(first["demo_password"]) == 20
    files.demo_password.chmod(0o644)
    ensure_secret_files(places.secrets)
    assert {path.name: path.read_text() for path in places.secrets.iterdir()} == first
    assert files.demo_password.stat().st_mode & 0o777 == 0o600


def test_secret_files__made_by_many_at_once__all_read_the_same(places: Places) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(ensure_secret_files(places.secrets).secret_key.read_text()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_environment__nothing_given__names_the_embedded_servers(places: Places) -> None:
    installation = describe_installation(places, environ={})
    assert installation.postgres is not None
    assert installation.valkey is not None
    socket = places.runtime / "valkey.sock"
    assert {name: value for name, value in installation.env.items() if name.endswith("_URL")} == {
        "IKIRO_DATABASE_URL": f"postgresql://ikiro_owner@/ikiro?host={places.runtime}",
        "IKIRO_REDIS_URL": f"unix://{socket}?db=0",
        "IKIRO_CACHE_URL": f"unix://{socket}?db=1",
        "IKIRO_BROKER_URL": f"redis+socket://{socket}?virtual_host=2",
        "IKIRO_CHANNELS_URL": f"unix://{socket}?db=3",
    }
    assert not places.postgres_data.exists()


def test_environment__servers_given__uses_them_and_embeds_nothing(places: Places) -> None:
    given = {"IKIRO_DATABASE_URL": "postgresql://me@db/x", "IKIRO_REDIS_URL": "redis://:pw@cache:6379/4"}
    installation = describe_installation(places, environ={**given, "IKIRO_BROKER_URL": "amqp://queue"})
    assert (installation.postgres, installation.valkey) == (None, None)
    assert installation.env["IKIRO_DATABASE_URL"] == "postgresql://me@db/x"
    assert installation.env["IKIRO_REDIS_URL"] == "redis://:pw@cache:6379/4"
    assert installation.env["IKIRO_CACHE_URL"] == "redis://:pw@cache:6379/1"
    assert installation.env["IKIRO_BROKER_URL"] == "amqp://queue"


def test_environment__only_the_database_given__embeds_valkey(places: Places) -> None:
    installation = describe_installation(places, environ={"IKIRO_DATABASE_URL": "postgresql://me@db/x"})
    assert installation.postgres is None
    assert installation.valkey is not None


def test_environment__secret_given_as_a_value__no_file_overrides_it(places: Places) -> None:
    installation = describe_installation(places, environ={"IKIRO_SECRET_KEY": "mine"})
    assert "IKIRO_SECRET_KEY_FILE" not in installation.env
    assert installation.env["IKIRO_KEYRING_FILE"] == str(places.secrets / "keyring.json")


def test_fill_defaults__everything_named_by_the_operator__makes_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IKIRO_DATABASE_URL", "IKIRO_REDIS_URL", "IKIRO_SECRET_KEY", "IKIRO_KEYRING"):
        monkeypatch.setenv(name, "given")
    monkeypatch.setenv("IKIRO_STATE_DIR", str(tmp_path / "absent"))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    fill_defaults()
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "ikiro.settings.local"
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("url", "cache", "broker"),
    [
        ("redis://h", "redis://h/1", "redis://h/2"),
        ("rediss://u:p@h:1/0?ssl_cert_reqs=none", "rediss://u:p@h:1/1?ssl_cert_reqs=none", None),
        ("unix:///run/v.sock?db=0", "unix:///run/v.sock?db=1", "redis+socket:///run/v.sock?virtual_host=2"),
        ("unix:///run/v.sock", "unix:///run/v.sock?db=1", "redis+socket:///run/v.sock?virtual_host=2"),
    ],
)
def test_redis_urls__other_database__keep_the_rest(url: str, cache: str, broker: str | None) -> None:
    assert with_db(url, 1) == cache
    assert broker_url(url) == (broker or url.replace("/0?", "/2?"))
