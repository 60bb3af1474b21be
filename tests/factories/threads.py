"""Several callers at the same moment, each in a thread and a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from gateway.core.errors import GatewayError
from tenants.context import scope
from tenants.types import OrgRef


def at_once(ref: OrgRef, works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the works in threads that start together inside ``ref``. A refusal is a result; else it is raised."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(index: int) -> None:
        try:
            barrier.wait(10)
            with scope(ref):
                results[index] = works[index]()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, GatewayError):
            raise result
    return results
