"""compose.yaml says what a real installation must have: nothing runs as root, nothing secret is written down, nothing
is open that need not be, and whatever it refers to exists."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.docker.tree import DOCKER, compose, env_example, variables
from tests.docs.vocabulary import documented

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = ("web", "worker", "scheduler", "embedder", "console", "migrate")
_SECRET_NAME = re.compile(r"KEY|SECRET|PASSWORD|TOKEN|KEYRING|_URL$|SMTP")
_PLACEHOLDER = re.compile(r"https?://[\w.:-]+$|$")


def test_services__of_the_installation__are_these() -> None:
    assert set(SERVICES) == {"postgres", "valkey", *OURS}


@pytest.mark.parametrize("name", SERVICES)
def test_service__each__is_confined(name: str) -> None:
    service = SERVICES[name]
    uid, _, gid = service["user"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert service["stop_grace_period"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_service__each_that_stays__has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name == "migrate":
        assert check == {"disable": True}
        return
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert check.keys() >= {"interval", "timeout", "retries", "start_period"}
    if name in OURS:
        assert check["test"][-2:] == ["docker/health.py", name]


@pytest.mark.parametrize("name", SERVICES)
def test_image__each__is_pinned_by_a_tag(name: str) -> None:
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    assert repository
    assert tag != "latest"
    if name not in OURS:
        assert re.search(r"\d+\.\d+", tag)


@pytest.mark.parametrize("name", SERVICES)
def test_environment__each__holds_no_secret_and_only_documented_names(name: str) -> None:
    known = documented("environment.md") | {"PORT", "DJANGO_SETTINGS_MODULE"}
    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable.endswith("_FILE"):
            assert value.startswith("/run/secrets/")
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]
        elif _SECRET_NAME.search(variable):
            assert _PLACEHOLDER.match(value), f"{variable} must come from a file"
        if name in OURS:
            assert variable.removesuffix("_FILE") in known


def test_secrets__all__are_files_that_make_secrets_makes() -> None:
    secrets = compose()["secrets"]
    script = (DOCKER / "make-secrets.sh").read_text()
    for name, secret in secrets.items():
        assert secret == {"file": f"secrets/{name}"}
        assert re.search(rf"\bput {name}\b|for name in .*\b{name}\b", script)
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(secrets)


def test_secrets__of_the_console__are_not_those_of_the_data() -> None:
    assert SERVICES["console"]["secrets"] == ["secret_key"]
    assert not {name for name in SERVICES["console"]["environment"] if "DATABASE" in name or "REDIS" in name}


def test_embedder__of_the_installation__reaches_nothing_and_its_socket_is_shared() -> None:
    embedder = SERVICES["embedder"]
    assert embedder["network_mode"] == "none"
    assert embedder.keys().isdisjoint({"networks", "secrets", "ports", "depends_on"})
    socket = embedder["environment"]["IKIRO_EMBEDDER_SOCKET"]
    assert len(socket) < 95
    for name in ("web", "worker"):
        assert SERVICES[name]["environment"]["IKIRO_EMBEDDER_SOCKET"] == socket
        assert "embedder:/var/lib/ikiro-embedder:ro" in SERVICES[name]["volumes"]
        assert "embedder" not in SERVICES[name]["depends_on"]


def test_order__the_migration__comes_after_the_servers_and_before_the_rest() -> None:
    healthy = {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": healthy, "valkey": healthy}
    for name in ("web", "worker", "scheduler"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["console"]["depends_on"] == {"web": healthy}


def test_networks__the_data__is_reachable_only_from_inside() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "valkey", "migrate"):
        assert SERVICES[name]["networks"] == ["inside"]
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "console": ["127.0.0.1:8001:8000"]}


def test_store__its_command__loses_nothing() -> None:
    command = SERVICES["valkey"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")


def test_volumes__each_that_is_used__is_declared_or_exists() -> None:
    declared = set(compose()["volumes"])
    named = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).exists()
            else:
                named.add(source)
    assert named == declared


def test_env_example__names__are_those_that_compose_asks_for() -> None:
    assert set(env_example()) == variables()


def test_env_example__filled_in__reaches_the_services() -> None:
    service = compose(env_example())["services"]["web"]
    assert service["environment"]["IKIRO_ALLOWED_HOSTS"] == "api.example.com,console.example.com,web,localhost"
    assert service["environment"]["IKIRO_CONSOLE_URL"] == "https://console.example.com"
    assert compose({**env_example(), "ALL_WEB_PROCESSES": "6"})["services"]["migrate"]["environment"][
        "IKIRO_WEB_PROCESSES"
    ] == "6"  # fmt: skip
