"""A throw-away stack for tests, and the outages that tests need."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from ikiro.stack.environment import describe_installation
from ikiro.stack.places import make_places
from ikiro.stack.postgres import Postgres, remove_cluster
from ikiro.stack.valkey import Valkey

_OUTER = (
    *("IKIRO_DATABASE_URL", "IKIRO_REDIS_URL", "IKIRO_CACHE_URL", "IKIRO_BROKER_URL", "IKIRO_CHANNELS_URL"),
    *("IKIRO_SECRET_KEY", "IKIRO_KEYRING", "IKIRO_DEMO_PASSWORD", "IKIRO_STATE_DIR", "IKIRO_PUBLIC_URL"),
    "IKIRO_EMBEDDER",
)


class TestStack:
    """PostgreSQL (fsync off) and Valkey of their own below ``directory``, which also becomes IKIRO_STATE_DIR.

    ``postgres`` has stop/start/kill, ``valkey`` has stop/start/kill/pause/resume; ``start`` waits until it answers.
    ``env`` is what a process needs to use them. Servers and secrets of the outer environment are ignored on purpose: a
    test must never write into somebody's real database. ``durable=True`` keeps fsync on.
    """

    __test__ = False  # the name begins like a test class, and pytest would collect it

    postgres: Postgres
    valkey: Valkey
    env: dict[str, str]

    def __init__(self, directory: Path | str, *, durable: bool = False) -> None:
        self.places = make_places(Path(directory))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER)}
        installation = describe_installation(self.places, environ=environ, test=not durable)
        assert installation.postgres is not None
        assert installation.valkey is not None
        self.postgres, self.valkey, self.env = installation.postgres, installation.valkey, installation.env

    def start(self) -> Self:
        """Start both servers (together, about a second with a new cluster) and wait until they answer."""
        self.valkey.launch()
        self.postgres.launch()
        self.valkey.wait_ready()
        self.postgres.wait_ready()
        return self

    def stop(self) -> None:
        """Stop both; the data stays."""
        self.valkey.stop()
        self.postgres.stop()

    def remove(self) -> None:
        """Kill both and delete the data and the sockets."""
        self.valkey.kill()
        self.postgres.kill()
        remove_cluster(self.places.postgres_data)
        shutil.rmtree(self.places.state, ignore_errors=True)
        shutil.rmtree(self.places.runtime, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
