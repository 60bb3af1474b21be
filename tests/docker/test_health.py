"""The health check says what is wrong, and is green only when nothing is."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.tree import DOCKER
from tests.embedding import Embedder


def check(role: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", DOCKER / "health.py", role], env=env, capture_output=True, text=True
    )
    return done.returncode, done.stderr.strip()


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path in {"/readyz", "/healthz"} else 404)
        self.end_headers()
        self.wfile.write(b"database: away")

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening
        listening.shutdown()


@pytest.mark.parametrize("role", ["web", "console"])
def test_health__of_a_server__is_its_answer(
    server: http.server.HTTPServer, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(server.server_address[1])
    assert check(role, PORT=port) == (0, "")
    monkeypatch.setattr(Answers, "status", 503)
    code, said = check(role, PORT=port)
    assert code == 1
    assert "503 database: away" in said


def test_health__of_a_server_that_is_not_there__is_red() -> None:
    code, said = check("web", PORT="1")
    assert code == 1
    assert "refused" in said


@pytest.mark.parametrize("role", ["worker", "scheduler"])
def test_health__of_a_loop__is_the_age_of_its_heartbeat(role: str, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    assert check(role, IKIRO_HEARTBEAT_PATH=str(beat))[0] == 1
    beat.touch()
    assert check(role, IKIRO_HEARTBEAT_PATH=str(beat)) == (0, "")
    os.utime(beat, (time.time() - 31, time.time() - 31))
    code, said = check(role, IKIRO_HEARTBEAT_PATH=str(beat))
    assert code == 1
    assert "31 s old" in said


def test_health__of_an_unknown_role__is_red() -> None:
    assert check("migrate") == (1, "migrate has no health check")


def test_health__of_the_embedder__is_a_vector_of_a_text(embedder: Embedder, tmp_path: Path) -> None:
    socket_path = str(embedder.ready().socket)
    assert check("embedder", IKIRO_EMBEDDER_SOCKET=socket_path) == (0, "")
    code, said = check("embedder", IKIRO_EMBEDDER_SOCKET=str(tmp_path / "nobody.sock"))
    assert code == 1
    assert "nobody.sock" in said
