"""What the parts of the bench share: the running product and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from tests.harness import Gateway, Process

BODY = {"model": "openai/bench", "messages": [{"role": "user", "content": "hello " * 50}]}


@dataclass(frozen=True)
class Setting:
    """``upstream`` is the provider, ``bare`` the constant, ``proxy`` the plain proxy; each has a ``port``."""

    product: Gateway
    upstream: Process
    bare: Process
    proxy: Process

    @property
    def url(self) -> str:
        return f"{self.product.base_url}/v1/chat/completions"

    @property
    def key(self) -> str:
        return self.product.acme.api_key

    @property
    def web_pid(self) -> int:
        assert self.product.web.popen is not None
        return self.product.web.popen.pid

    def at(self, process: Process) -> str:
        return f"http://127.0.0.1:{process.port}/v1/chat/completions"
