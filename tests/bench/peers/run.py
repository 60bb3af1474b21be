"""The peers as running processes in front of the bench's provider. ``ask`` is what a caller sends each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bench.peers import install
from tests.bench.peers.install import NODE, NotMeasured
from tests.harness import eventually, free_port

_HERE = Path(__file__).resolve().parent
_START_S = 90


@dataclass(frozen=True)
class Peer:
    """One gateway in front of the provider: where to post a chat completion, with which key, headers and model."""

    name: str
    pid: int
    url: str
    model: str
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def litellm(upstream: int) -> Iterator[Peer]:
    """LiteLLM with a key and no database. Raises NotMeasured."""
    command, port = install.litellm(), free_port()
    arguments = [str(command), "--config", str(_HERE / "litellm.yaml"), "--port", str(port), "--num_workers", "1"]
    env = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/tmp"),
        "BENCH_UPSTREAM": f"http://127.0.0.1:{upstream}/v1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    with _running("litellm", arguments, env) as pid:
        peer = Peer("litellm", pid, url, "bench", "sk-bench")
        _wait(peer)
        yield peer


@contextlib.contextmanager
def portkey(upstream: int) -> Iterator[Peer]:
    """Portkey, told by headers where to go. Raises NotMeasured."""
    script, port = install.portkey(), free_port()
    env = {"PATH": os.environ["PATH"], "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    with _running("portkey", [str(NODE), str(script), f"--port={port}", "--headless"], env) as pid:
        peer = Peer("portkey", pid, url, "bench", "none", headers)
        _wait(peer)
        yield peer


@contextlib.contextmanager
def _running(name: str, arguments: list[str], env: dict[str, str]) -> Iterator[int]:
    with tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log") as log:
        try:
            process = subprocess.Popen(arguments, env=env, stdout=log, stderr=log, start_new_session=True)
        except OSError as error:
            raise NotMeasured(f"does not start: {error}") from None
        try:
            yield process.pid
        except AssertionError as error:
            said = Path(log.name).read_text(errors="replace")[-600:]
            raise NotMeasured(f"does not answer: {error}; {said}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _wait(peer: Peer) -> None:
    body = {"model": peer.model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {peer.key}", **peer.headers}

    def answers() -> bool:
        answer = httpx.post(peer.url, json=body, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text[:300]
        return True

    eventually(answers, within=_START_S, every=0.5)
