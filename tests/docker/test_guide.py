"""The guide to production names what exists: services, files, variables."""

from __future__ import annotations

import re

from tests.docker.tree import DOCKER, ROOT, compose, variables

GUIDE = (ROOT / "docs/guides/production.md").read_text(encoding="utf-8")


def test_guide__the_services_it_starts_or_enters__exist() -> None:
    services = set(compose()["services"])
    named = set(re.findall(r"docker/compose\.yaml (?:run --rm|exec -T|logs) (\w+)", GUIDE))
    assert named == {"web", "migrate", "postgres"}
    assert named <= services
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.M)) <= services


def test_guide__the_files_it_names__exist_or_are_made() -> None:
    made = {"docker/.env", "docker/secrets/"} | {f"docker/secrets/{name}" for name in compose()["secrets"]}
    for path in re.findall(r"\bdocker/[\w./-]*\w/?", GUIDE):
        assert (ROOT / path).exists() or path in made, path


def test_guide__the_variables_it_names__are_those_of_the_env_file() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", GUIDE)) - {"CREATEROLE", "BYPASSRLS", "SECRET_KEY"}
    assert named <= variables()


def test_guide__its_arithmetic__is_that_of_the_code() -> None:
    web, pool, worker, tasks = (
        int(compose()["services"]["migrate"]["environment"][f"IKIRO_{name}"])
        for name in ("WEB_PROCESSES", "DB_POOL", "WORKER_PROCESSES", "WORKER_CONCURRENCY")
    )
    most = next(part for part in compose()["services"]["postgres"]["command"] if "max_connections" in part)
    total, allowed = web * (pool + 1) + worker * (tasks + 1) + 4, int(int(most.rpartition("=")[2]) * 0.8)
    assert f"{web} × {pool + 1} + {worker} × {tasks + 1} + 4 = {total} of {allowed}" in GUIDE
    assert total <= allowed


def test_guide__compose_needs_no_variable__beyond_its_defaults() -> None:
    assert (DOCKER / ".env.example").exists()
    assert compose({})["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]
