"""The store for everything off the hot path."""

from __future__ import annotations

from functools import lru_cache

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry


@lru_cache(maxsize=8)
def sync_client(url: str, *, timeout_s: float = 5.0) -> redis.Redis:
    """This process's blocking client (answers are bytes), safe for threads; connects when first used and again
    after every loss."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
    )
