"""What the image holds and what its containers are started with, without an engine: a tree made by the Dockerfile's own
COPY lines, a virtual environment of nothing but requirements/prod.txt, and each service's environment with hosts, ports
and paths of secrets replaced."""

from __future__ import annotations

import compileall
import importlib.metadata
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docker.tree import ROOT, copied, stages

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")


def build(target: Path) -> None:
    """Make ``target/app`` and ``target/venv`` as the Dockerfile would; nobody may write to the former."""
    app = target / "app"
    for source, name in copied():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, app / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(ROOT / source, app / name)
    compileall.compile_dir(app, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    for folder, _, files in os.walk(app):
        for entry in files:
            path = Path(folder, entry)
            path.chmod(0o555 if path.stat().st_mode & 0o111 else 0o444)
        Path(folder).chmod(0o555)
    venv.create(target / "venv", symlinks=True, with_pip=False)
    (packages,) = (target / "venv/lib").glob("python*/site-packages")
    for distribution in _pinned():
        _link(distribution, packages)


def _pinned() -> list[importlib.metadata.Distribution]:
    """What prod.txt and model.txt pin and this platform needs; each installed here in exactly that version."""
    found = []
    pins = "".join((ROOT / "requirements" / name).read_text() for name in ("prod.txt", "model.txt"))
    for line in pins.splitlines():
        match = _PIN.match(line)
        if match:
            try:
                distribution = importlib.metadata.distribution(match[1])
            except importlib.metadata.PackageNotFoundError:
                assert ";" in line, f"{match[1]} is not installed"  # only for another platform or Python
                continue
            if distribution.version == match[2] or ";" not in line:
                assert distribution.version == match[2], match[1]
                found.append(distribution)
    return found


def _link(distribution: importlib.metadata.Distribution, packages: Path) -> None:
    """Show one installed distribution in ``packages``: its modules, libraries and metadata."""
    for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        link = packages / top
        if not link.exists():
            link.symlink_to(Path(str(distribution.locate_file(top))))


def confined() -> list[str]:
    """What to put before a command so that it does not run as root. Empty for who is not root anyway."""
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "-U", "--map-user=10001", "--map-group=10001"]
    if subprocess.run([*namespace, sys.executable, "-c", ""], capture_output=True).returncode == 0:
        return namespace
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]


@dataclass
class Container:
    """One service of compose.yaml as a process; ``rewrites`` are applied to the values of its environment."""

    name: str
    service: dict[str, Any]
    image: Path
    work: Path
    rewrites: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        for folder in (self.work / "tmp", self.work / "state"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        rewrites = {**self.rewrites, "/tmp/": f"{self.work}/tmp/", "/var/lib/ikiro": str(self.work / "state")}
        given = {**image_environment(), **self.service.get("environment", {})}
        self.env = {"PATH": f"{self.image}/venv/bin:/usr/bin:/bin", "TMPDIR": str(self.work / "tmp")}
        self.env |= {name: rewritten(value, rewrites) for name, value in given.items() if name != "PATH"}
        self.env["PORT"] = str(self.port)
        self.log = self.work / "log"

    def start(self) -> Container:
        """Run the image's entrypoint with the service's command."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._argv(self.service["command"]), env=self.env, cwd=self.image / "app", stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        return self

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """``docker compose run --rm SERVICE COMMAND``: to its end."""
        return subprocess.run(
            self._argv(command), env=self.env, cwd=self.image / "app", capture_output=True, text=True, timeout=90
        )

    def health(self) -> subprocess.CompletedProcess[str]:
        """The service's health check, as the engine would run it in the container."""
        _, *command = self.service["healthcheck"]["test"]
        return subprocess.run(
            [*confined(), *command], env=self.env, cwd=self.image / "app", capture_output=True, text=True, timeout=10
        )

    def stop(self) -> int:
        """SIGTERM; the exit code. Fails when the service's grace is not enough."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(float(self.service["stop_grace_period"].removesuffix("s")))

    def kill(self) -> None:
        """SIGKILL to the process and its children, if there are any left."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def _argv(self, command: tuple[str, ...] | list[str]) -> list[str]:
        return [*confined(), str(self.image / "app/docker/entrypoint"), *command]


def image_environment() -> dict[str, str]:
    """What the Dockerfile's ENV sets."""
    *_, final = stages()
    pairs = (pair.split("=", 1) for name, rest in final if name == "ENV" for pair in rest.split())
    return dict(pairs)


def rewritten(value: str, rewrites: dict[str, str]) -> str:
    """A value whose beginning is one of ``rewrites``, with the other beginning."""
    for old, new in rewrites.items():
        if value.startswith(old):
            return new + value.removeprefix(old)
    return value
